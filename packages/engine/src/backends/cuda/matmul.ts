import type { Backend, MatmulOptions, View, Weight } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe } from '../view.ts';
import type { CudaDevice } from './device.ts';
import { int8Product } from './int8.ts';
import { floatOperand, tensorOperand } from './operands.ts';
import { type ProductSize, productTarget } from './product-target.ts';
import { floatProduct, tensorProduct } from './products.ts';
import { weightProduct } from './weight-products.ts';
import { weightArguments } from './weights.ts';

export type MatmulGroup = Pick<Backend, 'matmulNT' | 'matmulNN' | 'matmulTN' | 'dequantize'>;

/** Matrix products of linear layers, with the weight in any storage. */
export function matmulGroup(device: CudaDevice): MatmulGroup {
	/** Both directions over W [outputs, inputs]: `left` is x or dy, `result` is y or dx. */
	function multiply(
		direction: 'NT' | 'NN',
		result: View,
		left: View,
		weight: Weight,
		{ precision, scale, accumulate }: MatmulOptions,
	): void {
		const [outputs, inputs] = weight.shape as [number, number];
		const rows = rowsOf(left);
		const [columns, depth] = direction === 'NT' ? [outputs, inputs] : [inputs, outputs];
		const size: ProductSize = { rows, columns, depth };
		const target = productTarget(device, result, accumulate, scale);
		device.withScratch(
			() => `the product of ${describe(left)} and ${describe(weight)}`,
			(take) => {
				const [leftPart, rightPart] = [
					{ rows, columns: depth },
					{ rows: outputs, columns: inputs },
				];
				device.values(left);
				if (precision === 'bf16' && device.tensorType !== undefined) {
					const x = tensorOperand(device, take, left, leftPart);
					weightProduct(device, take, direction, target, x, weight, size);
					return;
				}
				const x = floatOperand(device, take, left, leftPart);
				const w = floatOperand(device, take, weight, rightPart);
				if (precision === 'int8') int8Product(device, take, target, x, w, direction === 'NN', size);
				else floatProduct(device, direction, target, x, w, size);
			},
		);
	}

	return {
		matmulNT: (y, x, weight, options) => multiply('NT', y, x, weight, options),
		matmulNN: (dx, dy, weight, options) => multiply('NN', dx, dy, weight, options),
		matmulTN(dWeight, dy, x, { precision, scale, accumulate }) {
			const [rows, columns] = dWeight.shape as [number, number];
			const size: ProductSize = { rows, columns, depth: rowsOf(dy) };
			device.floats(dWeight);
			const target = productTarget(device, dWeight, accumulate, scale);
			device.withScratch(
				() => `the product of ${describe(dy)} and ${describe(x)}`,
				(take) => {
					const [leftPart, rightPart] = [
						{ rows: size.depth, columns: rows },
						{ rows: size.depth, columns },
					];
					if (precision === 'bf16' && device.tensorType !== undefined) {
						const left = tensorOperand(device, take, dy, leftPart);
						const right = tensorOperand(device, take, x, rightPart);
						tensorProduct(device, 'TN', target, left, right, size);
						return;
					}
					const left = floatOperand(device, take, dy, leftPart);
					floatProduct(device, 'TN', target, left, floatOperand(device, take, x, rightPart), size);
				},
			);
		},
		dequantize(target, weight) {
			const [outputs, inputs] = weight.shape as [number, number];
			const count = outputs * inputs;
			const source = weightArguments(device, weight);
			device.launchOver('weightToFloats', count, [device.floats(target), ...source, 0, count, inputs]);
		},
	};
}

/** Rows of a matrix; none is refused, since it is always a mistake of the caller. */
function rowsOf(view: View): number {
	const rows = view.shape[0]!;
	if (rows < 1) {
		throw programError('CUDA_NO_ROWS', `a matrix product needs at least one row, but got ${describe(view)}`);
	}
	return rows;
}
