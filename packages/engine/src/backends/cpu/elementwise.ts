import type { Backend, DataType } from '../contract.ts';
import { BYTES_PER_ELEMENT } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import type { CpuDevice } from './device.ts';
import type { Kernels } from './kernel-table.ts';

export type ElementwiseGroup = Pick<
	Backend,
	| 'fill'
	| 'copy'
	| 'add'
	| 'addScaled'
	| 'scale'
	| 'dropout'
	| 'addBias'
	| 'biasBackward'
	| 'sumOfSquares'
	| 'scaleRows'
>;

type Conversion = Kernels['bf16FromF32'];

/** Kernels that treat a tensor as a flat row of elements, or as rows that share a vector. */
export function elementwiseGroup(device: CpuDevice): ElementwiseGroup {
	const { address, kernels } = device;
	const conversions: Partial<Record<`${DataType} ${DataType}`, Conversion>> = {
		'bf16 f32': kernels.bf16FromF32,
		'f16 f32': kernels.f16FromF32,
		'f32 bf16': kernels.f32FromBf16,
		'f32 f16': kernels.f32FromF16,
		'f16 bf16': kernels.f16FromBf16,
		'bf16 f16': kernels.bf16FromF16,
	};
	return {
		fill(target, value) {
			const kernel = target.dtype === 'i32' ? kernels.fillIntegers : kernels.fill;
			kernel(device.engine, address(target), elements(target.shape), value);
		},
		copy(target, source) {
			const length = elements(target.shape);
			if (target.dtype === source.dtype) {
				const bytes = length * BYTES_PER_ELEMENT[target.dtype];
				kernels.copyBytes(device.engine, address(target), address(source), bytes);
				return;
			}
			const conversion = conversions[`${target.dtype} ${source.dtype}`];
			if (conversion === undefined) {
				throw programError(
					'COPY_TYPE',
					`only float types are converted by a copy, found ${describe(source)} to ${describe(target)}`,
				);
			}
			conversion(device.engine, address(target), address(source), length);
		},
		add(sum, a, b) {
			kernels.add(device.engine, address(sum), address(a), address(b), elements(sum.shape));
		},
		addScaled(target, source, factor) {
			kernels.addScaled(device.engine, address(target), address(source), elements(target.shape), factor);
		},
		scale(target, factor) {
			kernels.scale(device.engine, address(target), elements(target.shape), factor);
		},
		dropout(y, x, { seed, stream, probability }) {
			kernels.dropout(device.engine, address(y), address(x), elements(x.shape), seed, stream, probability);
		},
		addBias(y, x, bias) {
			const width = elements(bias.shape);
			const rows = elements(x.shape) / width;
			kernels.addBias(device.engine, address(y), address(x), address(bias), rows, width);
		},
		biasBackward(dBias, dy) {
			const width = elements(dBias.view.shape);
			const rows = elements(dy.shape) / width;
			kernels.biasBackward(device.engine, address(dBias.view), dBias.accumulate, address(dy), rows, width);
		},
		sumOfSquares: (x) => kernels.sumOfSquares(device.engine, address(x), elements(x.shape)),
		scaleRows(x, factor) {
			const rows = elements(factor.shape);
			const width = elements(x.shape) / rows;
			kernels.scaleRows(device.engine, address(x), address(factor), rows, width);
		},
	};
}
