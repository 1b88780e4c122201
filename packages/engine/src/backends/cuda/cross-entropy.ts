import { type Backend, type FloatPrecision, isQuantized, type Weight } from '../contract.ts';
import { describe } from '../view.ts';
import { type CudaDevice, type TakeScratch, threadsPerBlock } from './device.ts';
import { floatOperand, type MatrixPart, type Operand, tensorOperand, tensorOperandOf } from './operands.ts';
import { type Direction, type ProductSize, type ProductTarget, productTarget } from './product-target.ts';
import { floatProduct, tensorProduct } from './products.ts';
import { floatArguments } from './weights.ts';

export type CrossEntropyGroup = Pick<Backend, 'linearCrossEntropy' | 'linearCrossEntropyBackward'>;

/** Logits of a chunk in scratch memory. */
function logitsTarget(address: number): ProductTarget {
	return { address, type: 'f32', accumulate: false, scale: 1 };
}

/** Entries of the vocabulary whose logits are held at once. */
const mostColumns = 4096;

/** Cross-entropy over a vocabulary, chunk by chunk of its entries. */
export function crossEntropyGroup(device: CudaDevice): CrossEntropyGroup {
	const { floats } = device;

	/** Products in the precision that this card has for the one that was asked for. */
	function arithmetic(precision: FloatPrecision, take: TakeScratch) {
		const onTensorCores = precision === 'bf16' && device.tensorType !== undefined;
		return {
			operand(matrix: Weight, part: MatrixPart): Operand {
				if (onTensorCores) return tensorOperand(device, take, matrix, part);
				const address = floatOperand(device, take, matrix, part);
				return () => ({ address, stride: part.columns });
			},
			/** Of logits that lie in scratch memory. */
			logits(address: number, part: MatrixPart): Operand {
				if (!onTensorCores) return () => ({ address, stride: part.columns });
				return tensorOperandOf(device, take, floatArguments(address), part);
			},
			multiply(
				direction: Direction,
				target: ProductTarget,
				left: Operand,
				right: Operand,
				size: ProductSize,
			): void {
				if (onTensorCores) tensorProduct(device, direction, target, left, right, size);
				else floatProduct(device, direction, target, left('rows').address, right('rows').address, size);
			},
		};
	}

	/** Runs `work` on entries [first, first + columns) of the vocabulary after one another, each with scratch memory of its own. */
	function overChunks(
		weight: Weight,
		work: (take: TakeScratch, first: number, columns: number) => void,
	): void {
		const vocabulary = weight.shape[0]!;
		for (let first = 0; first < vocabulary; first += mostColumns) {
			device.withScratch(
				() => `logits over a vocabulary ${describe(weight)}`,
				(take) => work(take, first, Math.min(mostColumns, vocabulary - first)),
			);
		}
	}

	return {
		linearCrossEntropy(losses, logSumExp, hidden, weight, targets, precision) {
			const [rows, width] = hidden.shape as [number, number];
			floats(hidden);
			if (rows === 0) return;
			device.withScratch(
				() => `the losses of ${describe(hidden)}`,
				(keep) => {
					const x = arithmetic(precision, keep).operand(hidden, { rows, columns: width });
					const state = keep(4 * 3 * rows);
					overChunks(weight, (take, first, columns) => {
						const { operand, multiply } = arithmetic(precision, take);
						const w = operand(weight, { rows: columns, columns: width, first: first * width });
						const logits = take(4 * rows * columns); // [R, columns]
						const target = logitsTarget(logits);
						multiply('NT', target, x, w, { rows, columns, depth: width });
						const args = [state, logits, device.address(targets), columns, first];
						device.launch('crossEntropyChunk', [rows], threadsPerBlock, args);
					});
					device.launchOver('crossEntropyLosses', rows, [
						...[floats(losses), floats(logSumExp), state, device.address(targets), rows],
					]);
				},
			);
		},
		linearCrossEntropyBackward(
			{ dHidden, dWeight },
			{ hidden, weight, targets, logSumExp },
			dLosses,
			precision,
		) {
			const [rows, width] = hidden.shape as [number, number];
			for (const view of [hidden, dHidden?.view]) if (view !== undefined) floats(view);
			if (rows === 0) return;
			if (dWeight !== undefined && isQuantized(weight)) {
				throw new TypeError('a quantised vocabulary has no gradient');
			}
			device.withScratch(
				() => `the gradients of ${describe(hidden)}`,
				(keep) => {
					const x = arithmetic(precision, keep).operand(hidden, { rows, columns: width });
					overChunks(weight, (take, first, columns) => {
						const chunk = arithmetic(precision, take);
						const w = chunk.operand(weight, { rows: columns, columns: width, first: first * width });
						const logits = take(4 * rows * columns); // [R, columns]
						const target = logitsTarget(logits);
						chunk.multiply('NT', target, x, w, { rows, columns, depth: width });
						const saved = [floats(logSumExp), floats(dLosses), device.address(targets)];
						const args = [logits, ...saved, columns, first];
						device.launch('crossEntropyGradient', [rows], threadsPerBlock, args);
						const dLogits = chunk.logits(logits, { rows, columns });
						if (dHidden !== undefined) {
							const accumulate = dHidden.accumulate || first > 0;
							const to = productTarget(device, dHidden.view, accumulate);
							chunk.multiply('NN', to, dLogits, w, { rows, columns: width, depth: columns });
						}
						if (dWeight === undefined) return;
						const address = floats(dWeight.view) + 4 * first * width;
						const to = { ...productTarget(device, dWeight.view, dWeight.accumulate), address };
						chunk.multiply('TN', to, dLogits, x, { rows: columns, columns: width, depth: rows });
					});
				},
			);
		},
	};
}
