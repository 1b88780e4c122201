/**
 * The contract between everything that computes with tensors and the machine that does it.
 *
 * A backend owns buffers and runs kernels over views of them. Nothing above this folder reads or writes a
 * tensor's bytes except through `upload`, `download` and `startDownload`, so a backend may keep its buffers on another device
 * and run asynchronously, as long as kernels run in the order of their calls and `download` and `sumOfSquares`
 * wait for them. No kernel needs to: what it finds memory by (rows, ranges, segments) was checked on the host where it was
 * made (`indices.ts`).
 *
 * Conventions
 * - Matrices are row-major, and contiguous unless a kernel's sentence says more. Letters in shapes: T tokens of a pack, H hidden
 *   size, M N K the sizes of a matrix product, R rows, V vocabulary, F functions, C classes, D head dimension, r LoRA rank.
 * - Trainable parameters, their gradients, statistics and losses are `f32`; activations and their gradients are of the backend's
 *   `activationType`, all those of a call of one type, and kernels compute in f32 whatever that is, rounding where they write;
 *   frozen dense weights may also be `bf16` or `f16`; frozen weights of `matmul` kernels may be quantised; ids, positions and
 *   boundaries are `i32`.
 * - A kernel may assume that shapes fit (the ops check them) and that outputs don't overlap inputs, unless
 *   its sentence says that they may be the same view.
 * - Kernels give the same bytes whatever the number of threads.
 * - A row of a result depends on that row of the inputs alone (in attention: on the tokens that it sees), to the byte: every
 *   sum over K goes in one order, whatever M is. It is what makes a function's score independent of its neighbours.
 */

import type { Device } from './contract/device.ts';
import type { FusedKernels } from './contract/fused-kernels.ts';
import type { Kernels } from './contract/kernels.ts';

export * from './contract/arithmetic.ts';
export * from './contract/device.ts';
export * from './contract/fused-kernels.ts';
export * from './contract/kernels.ts';
export * from './contract/tensors.ts';

/** What a backend computes with, as far as bytes depend on it: kept with a run, so that it goes on with the same. */
export interface Hardware {
	/** Instruction set of kernels that run on the processor. */
	readonly isa?: string;
	/** By what `isa: auto` chose, where that had to be measured: operations per second of one thread. */
	readonly peaks?: { readonly bf16: number; readonly fp32: number };
	readonly card?: {
		/** Its number among those that the driver shows. */
		readonly ordinal: number;
		readonly name: string;
		/** `8.0` */
		readonly capability: string;
		readonly multiprocessors: number;
		/** The CUDA version that the driver is made for, `12.4`. */
		readonly driver: string;
		readonly memoryBytes: number;
		/** `auto`, or `mma` where what only Hopper has is left out. */
		readonly kernels: 'auto' | 'mma';
	};
}

export interface Backend extends Device, Kernels, FusedKernels {
	/** `reference`, `cpu`, `wasm`, `cuda`. */
	readonly name: string;
	/** For people: instruction set, threads. */
	readonly description: string;
	readonly hardware: Hardware;
}
