import { composedLora } from '../compose-kernels.ts';
import type { Backend, Device, Kernels, View } from '../contract.ts';
import { type CudaDevice, kernelFor } from './device.ts';
import { maskWords } from './elementwise.ts';

export type LoraGroup = Pick<Backend, 'loraForward' | 'loraBackward'>;

/** As in adapter.cuh and in adapterGradient.cuh. */
const [rowsAtOnce, ranksAtOnce, columnsOfThread] = [4, 8, 8];
const [rowsOfSlab, columnsOfGradient, mostGradientTiles] = [128, 64, 16384];
/** As in adapterProducts.cuh. */
const [rowsOfPair, columnsOfWarp, mostThreadsOfPair] = [16, 32, 512];
/** Above this an adapter is no narrow matrix any more, and products of matrices are faster. */
const mostRank = 32;
const noMask = maskWords(undefined);

/** Element (r, d) of a matrix lies at r × rank + d × other. */
interface Factors {
	readonly address: number;
	readonly rank: number;
	readonly other: number;
}

/** dropout(x) [T, depth] · factors × scale. */
interface NarrowSide {
	readonly x: View;
	readonly depth: number;
	readonly factors: Factors;
	readonly scale: number;
	readonly mask: readonly number[];
}

/** out [T, columns] (+)= scale × dropout(· factors). */
interface WideSide {
	readonly out: View;
	readonly accumulate: boolean;
	readonly columns: number;
	readonly factors: Factors;
	readonly scale: number;
	readonly mask: readonly number[];
}

/** A gradient's operand [T, columns] and where it goes. */
interface GradientSide {
	readonly address: number;
	readonly accumulate: boolean;
	readonly narrow: number;
	readonly wide: View;
	readonly columns: number;
}

/** The adapter pair, with dropout made where its numbers are used. */
export function loraGroup(device: CudaDevice, backend: Device & Kernels): LoraGroup {
	const { floats, values } = device;
	const composed = composedLora(backend);

	const factorsOfA = (a: View): Factors => ({ address: floats(a), rank: a.shape[1]!, other: 1 }); // [r, K]
	const factorsOfB = (b: View): Factors => ({ address: floats(b), rank: 1, other: b.shape[1]! }); // [N, r]

	/** middle [T, r] = the narrow side's product, and from it the wide side's. */
	function multiplyThroughRank(
		middle: number,
		[tokens, rank]: readonly [tokens: number, rank: number],
		narrow: NarrowSide,
		wide: WideSide | undefined,
		onTensorCores: boolean,
	): void {
		if (!onTensorCores) {
			down(middle, [tokens, rank], narrow);
			if (wide !== undefined) up(middle, [tokens, rank], wide);
		} else if (wide === undefined || wide.out.dtype === narrow.x.dtype) {
			pair(middle, [tokens, rank], narrow, wide);
		} else {
			pair(middle, [tokens, rank], narrow, undefined);
			pair(middle, [tokens, rank], undefined, wide);
		}
	}

	function down(
		middle: number,
		[tokens, rank]: readonly [tokens: number, rank: number],
		{ x, depth, factors, scale, mask }: NarrowSide,
	): void {
		const grid = [Math.ceil(tokens / rowsAtOnce), Math.ceil(rank / ranksAtOnce)] as const;
		// no more than have something to add up
		const threads = Math.min(256, 32 * Math.ceil(depth / columnsOfThread / 32));
		const { address, rank: ofRank, other } = factors;
		const args = [middle, scale, values(x), address, ofRank, other, tokens, depth, rank, ...mask];
		device.launch(kernelFor('adapterDown', x), grid, threads, args);
	}

	function up(
		middle: number,
		[tokens, rank]: readonly [tokens: number, rank: number],
		{ out, accumulate, columns, factors, scale, mask }: WideSide,
	): void {
		const threads = 128;
		const grid = [Math.ceil(columns / columnsOfThread / threads), Math.ceil(tokens / rowsAtOnce)] as const;
		const { address, rank: ofRank, other } = factors;
		const sizes = [ofRank, other, tokens, columns, rank];
		const args = [values(out), Number(accumulate), scale, middle, address, ...sizes, ...mask];
		device.launch(kernelFor('adapterUp', out), grid, threads, args);
	}

	/** Both in one, or one of them. */
	function pair(
		middle: number,
		[tokens, rank]: readonly [tokens: number, rank: number],
		narrow: NarrowSide | undefined,
		wide: WideSide | undefined,
	): void {
		const most = Math.max(narrow?.depth ?? 0, wide?.columns ?? 0);
		// a warp has two parts of its width at once
		const threads = Math.min(mostThreadsOfPair, 32 * Math.ceil(most / (2 * columnsOfWarp)));
		const args = [middle, tokens, rank];
		if (narrow === undefined) args.push(0, 0, 0, 0, 0, 0, ...noMask);
		else {
			const { address, rank: ofRank, other } = narrow.factors;
			args.push(values(narrow.x), narrow.depth, address, ofRank, other, narrow.scale, ...narrow.mask);
		}
		if (wide === undefined) args.push(0, 0, 0, 0, 0, 0, 0, ...noMask);
		else {
			const { address, rank: ofRank, other } = wide.factors;
			args.push(values(wide.out), Number(wide.accumulate), wide.columns);
			args.push(address, ofRank, other, wide.scale, ...wide.mask);
		}
		const name = kernelFor('adapterProduct', (narrow?.x ?? wide?.out)!);
		device.launch(name, [Math.ceil(tokens / rowsOfPair)], threads, args);
	}

	/** dB = scale × dyᵀ · h and dA = dhᵀ · dropout(x), in one where their operands have one type. */
	function gradients(
		[tokens, rank]: readonly [tokens: number, rank: number],
		ofB: GradientSide,
		scale: number,
		ofA: GradientSide,
		mask: readonly number[],
	): void {
		if (ofB.wide.dtype !== ofA.wide.dtype) {
			gradients([tokens, rank], ofB, scale, { ...ofA, wide: ofB.wide, columns: 0 }, mask);
			gradients([tokens, rank], { ...ofB, wide: ofA.wide, columns: 0 }, scale, ofA, mask);
			return;
		}
		const slabs = Math.ceil(tokens / rowsOfSlab);
		const tiles = tilesOf(ofB.columns) + tilesOf(ofA.columns);
		const blocks = Math.ceil(rank / ranksAtOnce);
		device.withScratch(
			() => 'the partial sums of gradients of an adapter',
			(take) => {
				const sums = tiles * slabs * blocks * columnsOfGradient * ranksAtOnce;
				const partials = slabs > 1 ? take(4 * sums) : 0;
				const argsOfB = [
					ofB.address,
					Number(ofB.accumulate),
					scale,
					ofB.narrow,
					values(ofB.wide),
					ofB.columns,
				];
				const argsOfA = [ofA.address, Number(ofA.accumulate), ofA.narrow, values(ofA.wide), ofA.columns];
				const args = [...argsOfB, ...argsOfA, partials, tokens, rank, ...mask];
				device.launch(kernelFor('adapterGradients', ofA.wide), [tiles, slabs, blocks], 256, args);
			},
		);
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
			multiplyThroughRank(
				floats(h),
				[tokens, rank],
				{ x, depth: inputs, factors: factorsOfA(a), scale: 1, mask: maskWords(dropout) },
				{ out: y, accumulate: true, columns: outputs, factors: factorsOfB(b), scale, mask: noMask },
				precision === 'bf16' && device.tensorType === 'bf16',
			);
		},
		loraBackward({ dx, dA, dB }, saved, dy, options) {
			const { x, h, a, b } = saved;
			const { scale, precision, dropout } = options;
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			const tiles = (tilesOf(outputs) + tilesOf(inputs)) * Math.ceil(rank / ranksAtOnce);
			if (rank > mostRank || tiles > mostGradientTiles) {
				composed.loraBackward({ dx, dA, dB }, saved, dy, options);
				return;
			}
			const mask = maskWords(dropout);
			device.withScratch(
				() => 'the gradients of an adapter',
				(take) => {
					const dh = take(4 * tokens * rank); // [M, r]
					multiplyThroughRank(
						dh,
						[tokens, rank],
						{ x: dy, depth: outputs, factors: factorsOfB(b), scale, mask: noMask },
						dx && {
							out: dx.view,
							accumulate: dx.accumulate,
							columns: inputs,
							factors: factorsOfA(a),
							scale: 1,
							mask,
						},
						precision === 'bf16' && device.tensorType === 'bf16',
					);
					gradients(
						[tokens, rank],
						{
							address: floats(dB.view),
							accumulate: dB.accumulate,
							narrow: floats(h),
							wide: dy,
							columns: outputs,
						},
						scale,
						{ address: floats(dA.view), accumulate: dA.accumulate, narrow: dh, wide: x, columns: inputs },
						mask,
					);
				},
			);
		},
	};
}

function tilesOf(columns: number): number {
	return Math.ceil(columns / columnsOfGradient);
}
