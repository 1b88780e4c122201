import { composedLora } from '../compose-kernels.ts';
import type { Backend, Device, Kernels, View } from '../contract.ts';
import { type CudaDevice, kernelFor, threadsPerBlock } from './device.ts';
import { maskWords } from './elementwise.ts';

export type LoraGroup = Pick<Backend, 'loraForward' | 'loraBackward'>;

/** As in adapter.cuh. */
const [rowsAtOnce, ranksAtOnce, columnsOfThread, columnsOfGradient] = [8, 8, 8, 64];
/** Above this an adapter is no narrow matrix any more, and products of matrices are faster. */
const mostRank = 32;

/** The adapter pair, with dropout made where its numbers are used. */
export function loraGroup(device: CudaDevice, backend: Device & Kernels): LoraGroup {
	const { floats, values } = device;
	const composed = composedLora(backend);

	/** Element (r, d) of a narrow or a wide matrix at r × rank + d × other. */
	interface Strides {
		readonly rank: number;
		readonly other: number;
	}
	/** A [r, K] and B [N, r]. */
	const stridesOfA = (inputs: number): Strides => ({ rank: inputs, other: 1 });
	const stridesOfB = (rank: number): Strides => ({ rank: 1, other: rank });

	function down(
		out: number,
		scale: number,
		[x, tokens, depth]: readonly [x: View, tokens: number, depth: number],
		[narrow, rank, strides]: readonly [address: number, rank: number, strides: Strides],
		inBfloat16: boolean,
		mask: readonly number[],
	): void {
		const grid = [Math.ceil(tokens / rowsAtOnce), Math.ceil(rank / ranksAtOnce)] as const;
		const sizes = [strides.rank, strides.other, tokens, depth, rank, Number(inBfloat16)];
		// no more than have something to add up
		const threads = Math.min(threadsPerBlock, 32 * Math.ceil(depth / columnsOfThread / 32));
		const args = [out, scale, values(x), narrow, ...sizes, ...mask];
		device.launch(kernelFor('adapterDown', x), grid, threads, args);
	}

	function up(
		target: readonly [view: View, accumulate: boolean, scale: number],
		narrow: number,
		[wide, strides]: readonly [address: number, strides: Strides],
		[tokens, columns, rank]: readonly [tokens: number, columns: number, rank: number],
		inBfloat16: boolean,
		mask: readonly number[],
	): void {
		const threads = 128;
		const grid = [Math.ceil(columns / columnsOfThread / threads), Math.ceil(tokens / rowsAtOnce)] as const;
		const [view, accumulate, scale] = target;
		const sizes = [strides.rank, strides.other, tokens, columns, rank, Number(inBfloat16)];
		const args = [values(view), Number(accumulate), scale, narrow, wide, ...sizes, ...mask];
		device.launch(kernelFor('adapterUp', view), grid, threads, args);
	}

	function gradient(
		target: readonly [address: number, strides: Strides, accumulate: boolean, scale: number],
		narrow: number,
		wide: View,
		[tokens, columns, rank]: readonly [tokens: number, columns: number, rank: number],
		mask: readonly number[],
	): void {
		const grid = [Math.ceil(columns / columnsOfGradient), Math.ceil(rank / ranksAtOnce)] as const;
		const [address, strides, accumulate, scale] = target;
		const to = [address, strides.rank, strides.other, Number(accumulate), scale];
		const args = [...to, narrow, values(wide), tokens, columns, rank, ...mask];
		device.launch(kernelFor('adapterGradient', wide), grid, 512, args);
	}

	return {
		loraForward(y, h, x, a, b, options) {
			const { scale, precision, dropout } = options;
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			if (rank > mostRank) {
				composed.loraForward(y, h, x, a, b, options);
				return;
			}
			const inBfloat16 = precision === 'bf16' && device.tensorType === 'bf16';
			const narrow = [floats(a), rank, stridesOfA(inputs)] as const;
			down(floats(h), 1, [x, tokens, inputs], narrow, inBfloat16, maskWords(dropout));
			const wide = [floats(b), stridesOfB(rank)] as const;
			const sizes = [tokens, outputs, rank] as const;
			up([y, true, scale], floats(h), wide, sizes, inBfloat16, maskWords(undefined));
		},
		loraBackward(gradients, saved, dy, options) {
			const { dx, dA, dB } = gradients;
			const { x, h, a, b } = saved;
			const { scale, precision, dropout } = options;
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			if (rank > mostRank) {
				composed.loraBackward(gradients, saved, dy, options);
				return;
			}
			const inBfloat16 = precision === 'bf16' && device.tensorType === 'bf16';
			const none = maskWords(undefined);
			const mask = maskWords(dropout);
			device.withScratch(
				() => 'the gradients of an adapter',
				(take) => {
					const dh = take(4 * tokens * rank); // [M, r]
					const toB = [floats(dB.view), stridesOfB(rank), dB.accumulate, scale] as const;
					gradient(toB, floats(h), dy, [tokens, outputs, rank], none);
					const narrow = [floats(b), rank, stridesOfB(rank)] as const;
					down(dh, scale, [dy, tokens, outputs], narrow, inBfloat16, none);
					const toA = [floats(dA.view), stridesOfA(inputs), dA.accumulate, 1] as const;
					gradient(toA, dh, x, [tokens, inputs, rank], mask);
					if (dx === undefined) return;
					const wide = [floats(a), stridesOfA(inputs)] as const;
					const target = [dx.view, dx.accumulate, 1] as const;
					up(target, dh, wide, [tokens, inputs, rank], inBfloat16, mask);
				},
			);
		},
	};
}
