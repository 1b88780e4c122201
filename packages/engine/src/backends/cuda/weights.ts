import { type DataType, isQuantized, type QuantizedLayout, type Weight } from '../contract.ts';
import { describe } from '../view.ts';
import { type CudaDevice, programError } from './device.ts';

/** The order of `Storage` in weights.cuh. */
export const storages: readonly (DataType | QuantizedLayout)[] = [
	'f32',
	'bf16',
	'f16',
	'table4',
	'table8',
	'int8',
];

/** A weight as the kernels take it: data, scales, codebook, storage. */
export type WeightArguments = readonly [data: number, scales: number, codebook: number, storage: number];

export function weightArguments(device: CudaDevice, weight: Weight): WeightArguments {
	if (isQuantized(weight)) {
		return [
			device.address(weight.codes),
			device.floats(weight.scales),
			device.optionalAddress(weight.codebook),
			storages.indexOf(weight.layout),
		];
	}
	const storage = storages.indexOf(weight.dtype);
	if (storage < 0) throw programError('CUDA_TYPE', `a weight can't be ${describe(weight)}`);
	return [device.address(weight), 0, 0, storage];
}
