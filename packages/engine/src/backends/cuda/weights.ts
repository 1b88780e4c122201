import {
	type DataType,
	type DoubleScales,
	isDouble,
	isQuantized,
	type QuantizedLayout,
	type Weight,
} from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import type { CudaDevice, TakeScratch } from './device.ts';

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

/** Scales that are quantised in their turn are restored in scratch memory: a 32nd of what the values then take in bfloat16. */
export function weightArguments(device: CudaDevice, take: TakeScratch, weight: Weight): WeightArguments {
	if (isQuantized(weight)) {
		const { scales } = weight;
		return [
			device.address(weight.codes),
			isDouble(scales) ? restoredScales(device, take, scales) : device.floats(scales),
			device.optionalAddress(weight.codebook),
			storages.indexOf(weight.layout),
		];
	}
	const storage = storages.indexOf(weight.dtype);
	if (storage < 0) throw programError('CUDA_TYPE', `a weight can't be ${describe(weight)}`);
	return [device.address(weight), 0, 0, storage];
}

function restoredScales(
	device: CudaDevice,
	take: TakeScratch,
	{ codes, absmax, map, offset }: DoubleScales,
): number {
	const count = elements(codes.shape);
	const target = take(4 * count);
	const args = [target, device.address(codes), device.floats(absmax), device.floats(map), offset, count];
	device.launchOver('restoreScales', count, args);
	return target;
}
