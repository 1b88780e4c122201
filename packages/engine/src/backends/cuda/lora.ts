import type { Backend, View } from '../contract.ts';
import { describe } from '../view.ts';
import type { CudaDevice, TakeScratch } from './device.ts';
import { maskWords } from './elementwise.ts';
import {
	type Direction,
	floatOperand,
	floatProduct,
	halfOperand,
	halfOperandOf,
	type ProductSize,
	type ProductTarget,
	tensorProduct,
} from './products.ts';
import { storages } from './weights.ts';

export type LoraGroup = Pick<Backend, 'loraForward' | 'loraBackward'>;

/** The adapter pair, composed of products. */
export function loraGroup(device: CudaDevice): LoraGroup {
	const { floats } = device;

	/** A product of a float32 matrix on the card with a small trainable one. */
	function multiply(
		take: TakeScratch,
		inBfloat16: boolean,
		direction: Direction,
		target: ProductTarget,
		left: number,
		right: View,
		size: ProductSize,
	): void {
		if (!inBfloat16) {
			floatProduct(device, direction, target, left, floats(right), size);
			return;
		}
		const matrix = [left, 0, 0, storages.indexOf('f32')] as const;
		const x = halfOperandOf(device, take, matrix, { rows: size.rows, columns: size.depth });
		const [rows, columns] = right.shape as [number, number];
		tensorProduct(device, direction, target, x, halfOperand(device, take, right, { rows, columns }), size);
	}

	return {
		loraForward(y, h, x, a, b, { scale, precision, dropout }) {
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			const inBfloat16 = precision === 'bf16' && device.hasBfloat16;
			device.withScratch(
				() => `an adapter ${describe(b)} of ${describe(x)}`,
				(take) => {
					const down: ProductTarget = { address: floats(h), accumulate: false, scale: 1 };
					const size = { rows: tokens, columns: rank, depth: inputs };
					if (inBfloat16) {
						const dropped = halfOperand(device, take, x, { rows: tokens, columns: inputs, dropout });
						const matrix = halfOperand(device, take, a, { rows: rank, columns: inputs });
						tensorProduct(device, 'NT', down, dropped, matrix, size);
					} else {
						const dropped = floatOperand(device, take, x, { rows: tokens, columns: inputs, dropout });
						floatProduct(device, 'NT', down, dropped, floats(a), size);
					}
					const up = { rows: tokens, columns: outputs, depth: rank };
					multiply(take, inBfloat16, 'NT', { address: floats(y), accumulate: true, scale }, floats(h), b, up);
				},
			);
		},
		loraBackward({ dx, dA, dB }, { x, h, a, b }, dy, { scale, precision, dropout }) {
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			const inBfloat16 = precision === 'bf16' && device.hasBfloat16;
			device.withScratch(
				() => `the gradients of an adapter ${describe(b)} of ${describe(x)}`,
				(take) => {
					const toB = { address: floats(dB.view), accumulate: dB.accumulate, scale };
					const sizeB = { rows: outputs, columns: rank, depth: tokens };
					floatProduct(device, 'TN', toB, floats(dy), floats(h), sizeB);

					const dh = take(4 * tokens * rank); // [M, r]
					const toH = { address: dh, accumulate: false, scale };
					const sizeH = { rows: tokens, columns: rank, depth: outputs };
					multiply(take, inBfloat16, 'NN', toH, floats(dy), b, sizeH);

					const dropped = floatOperand(device, take, x, { rows: tokens, columns: inputs, dropout }); // [M, K]
					const toA = { address: floats(dA.view), accumulate: dA.accumulate, scale: 1 };
					floatProduct(device, 'TN', toA, dh, dropped, { rows: rank, columns: inputs, depth: tokens });

					if (dx === undefined) return;
					const size = { rows: tokens, columns: inputs, depth: rank };
					const count = tokens * inputs;
					const result = floats(dx.view);
					if (dropout === undefined) {
						const target = { address: result, accumulate: dx.accumulate, scale: 1 };
						multiply(take, inBfloat16, 'NN', target, dh, a, size);
						return;
					}
					const product = dx.accumulate ? take(4 * count) : result; // [M, K]
					multiply(take, inBfloat16, 'NN', { address: product, accumulate: false, scale: 1 }, dh, a, size);
					device.launchOver('dropout', Math.ceil(count / 8), [
						...[product, product, count],
						...maskWords(dropout),
					]);
					if (dx.accumulate) device.launchOver('addFloats', count, [result, result, product, count]);
				},
			);
		},
	};
}
