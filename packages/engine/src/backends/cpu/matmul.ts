import { VulntuneError } from '../../errors.ts';
import {
	type Backend,
	floatScales,
	isQuantized,
	type MatmulOptions,
	type QuantizedWeight,
	type View,
	type Weight,
} from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe } from '../view.ts';
import type { Before } from './argument-lists.ts';
import { type CpuDevice, expectType, outOfMemoryGuard } from './device.ts';
import { type Address, NO_ADDRESS } from './handles.ts';
import type { Kernels } from './kernel-table.ts';

export type MatmulGroup = Pick<Backend, 'matmulNT' | 'matmulNN' | 'matmulTN' | 'dequantize'>;

type Operands = Before<Parameters<Kernels['int8MatmulNT']>, [scale: number, accumulate: boolean]>;

/** The order of `enum class Storage` in kernels.h. */
const storages = ['f32', 'bf16', 'f16', 'table4', 'table8', 'int8'] as const;

/** A weight as the kernels take it. */
export interface NativeWeight {
	readonly storage: number;
	readonly data: Address;
	readonly scales: Address;
	readonly codebook: Address;
}

export function nativeWeight(device: CpuDevice, weight: Weight): NativeWeight {
	if (isQuantized(weight)) {
		return {
			storage: storages.indexOf(weight.layout),
			data: device.address(weight.codes),
			scales: device.address(floatScales(weight)),
			codebook: device.optionalAddress(weight.codebook),
		};
	}
	const storage = (storages as readonly string[]).indexOf(weight.dtype);
	if (storage < 0) throw programError('CPU_TYPE', `a weight can't be ${weight.dtype}`);
	return { storage, data: device.address(weight), scales: NO_ADDRESS, codebook: NO_ADDRESS };
}

/** Matrix products of linear layers, with the weight in any storage. */
export function matmulGroup(device: CpuDevice): MatmulGroup {
	const { kernels } = device;

	/** Both directions over W [outputs, inputs]: `left` is x or dy, `result` is y or dx. */
	function multiply(
		direction: 'NT' | 'NN',
		result: View,
		left: View,
		weight: Weight,
		{ precision, scale, accumulate }: MatmulOptions,
	): void {
		const [outputs, inputs] = weight.shape as [number, number];
		const tokens = rowsOf(left);
		const native = nativeWeight(device, weight);
		const operands: Operands = [
			...([device.engine, tokens, outputs, inputs, floats(left)] as const),
			...([native.storage, native.data, native.scales, native.codebook, floats(result)] as const),
		];
		outOfMemoryGuard(
			() => `the product of ${describe(left)} and ${describe(weight)}`,
			() => {
				if (precision === 'int8') kernels[`int8Matmul${direction}`](...operands, scale, accumulate);
				else kernels[`matmul${direction}`](...operands, precision === 'bf16', scale, accumulate);
			},
		);
	}

	function floats(view: View): Address {
		expectType(view, 'f32', 'a matrix product');
		return device.address(view);
	}

	return {
		matmulNT: (y, x, weight, options) => multiply('NT', y, x, weight, options),
		matmulNN: (dx, dy, weight, options) => multiply('NN', dx, dy, weight, options),
		matmulTN(dWeight, dy, x, options) {
			const [outputs, inputs] = dWeight.shape as [number, number];
			const tokens = rowsOf(dy);
			outOfMemoryGuard(
				() => `the product of ${describe(dy)} and ${describe(x)}`,
				() =>
					kernels.matmulTN(
						device.engine,
						tokens,
						outputs,
						inputs,
						floats(dy),
						floats(x),
						floats(dWeight),
						options.precision === 'bf16',
						options.scale,
						options.accumulate,
					),
			);
		},
		dequantize(target: View, weight: QuantizedWeight) {
			const [outputs, inputs] = weight.shape as [number, number];
			const { storage, data, scales, codebook } = nativeWeight(device, weight);
			kernels.dequantize(device.engine, outputs, inputs, storage, data, scales, codebook, floats(target));
		},
	};
}

/** Rows of a matrix; none is refused, since it is always a mistake of the caller. */
function rowsOf(view: View): number {
	const rows = view.shape[0]!;
	if (rows < 1) {
		throw new VulntuneError({
			code: 'CPU_NO_ROWS',
			kind: 'runtime',
			message: `a matrix product needs at least one row, but got ${describe(view)}`,
		});
	}
	return rows;
}
