import {
	type DataType,
	type DoubleScales,
	isDouble,
	isQuantized,
	type QuantizedLayout,
	type QuantizedWeight,
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

/** A weight as the kernels take it (WEIGHT_PARAMETERS in weights.cuh). */
export type WeightArguments = readonly [
	data: number,
	scales: number,
	/** 0 where the scales are no codes. */
	scaleCodes: number,
	scaleMap: number,
	scaleOffset: number,
	codebook: number,
	storage: number,
];

export function weightArguments(device: CudaDevice, weight: Weight): WeightArguments {
	if (!isQuantized(weight)) {
		const storage = storages.indexOf(weight.dtype);
		if (storage < 0) throw programError('CUDA_TYPE', `a weight can't be ${describe(weight)}`);
		return [device.address(weight), 0, 0, 0, 0, 0, storage];
	}
	const { codes, scales, codebook, layout } = weight;
	const rest = [device.optionalAddress(codebook), storages.indexOf(layout)] as const;
	if (!isDouble(scales)) return [device.address(codes), device.floats(scales), 0, 0, 0, ...rest];
	return [device.address(codes), ...doubleScaleArguments(device, scales), ...rest];
}

/** Of float32 numbers in scratch memory. */
export function floatArguments(address: number): WeightArguments {
	return [address, 0, 0, 0, 0, 0, storages.indexOf('f32')];
}

/** The scales of a quantised weight in float32: where they are quantised in their turn in scratch memory, a 32nd of the values in bfloat16. */
export function plainScales(device: CudaDevice, take: TakeScratch, { scales }: QuantizedWeight): number {
	if (!isDouble(scales)) return device.floats(scales);
	const count = elements(scales.codes.shape);
	const target = take(4 * count);
	device.launchOver('restoreScales', count, [target, ...doubleScaleArguments(device, scales), count]);
	return target;
}

function doubleScaleArguments(device: CudaDevice, { codes, absmax, map, offset }: DoubleScales) {
	return [device.floats(absmax), device.address(codes), device.floats(map), offset] as const;
}
