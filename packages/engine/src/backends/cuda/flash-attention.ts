import { type AttentionShape, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { elements, rowStrideOf } from '../view.ts';
import { type AttentionGroup, attentionDelta, attentionGroup, expectEqualStrides } from './attention.ts';
import { type CudaDevice, kernelFor, type TakeScratch } from './device.ts';

/** Sizes of heads that there are kernels for; smaller ones are padded. */
const headSizes = [32, 64, 128, 256] as const;
type HeadSize = (typeof headSizes)[number];

/** How the kernels for heads of a size share out their work. */
interface Plan {
	/** Rows of a block, of which a warp has 16. */
	readonly rows: number;
	/** Bytes of dynamic shared memory. */
	readonly sharedBytes: Readonly<Record<'forward' | 'queries' | 'keys', number>>;
}

/** Attention in the type that a card's tensor cores take. */
interface TensorAttention {
	/** What stands before the size in the kernels' names. */
	readonly names: Readonly<Record<'forward' | 'queries' | 'keys', string>>;
	readonly planOf: (size: HeadSize) => Plan;
	/** Heads as the kernels read them. */
	readonly headsOf: (take: TakeScratch, view: View, heads: number, shape: AttentionShape) => Heads;
	/** What the kernels take of heads that they read, in their order. */
	readonly argumentsOf: (operands: readonly Heads[]) => readonly number[];
}

/** Heads as the kernels read them: elements from one token's to the next one's, and what each was divided by, where it was. */
interface Heads {
	readonly address: number;
	readonly stride: number;
	readonly scales?: number;
}

/** Attention on tensor cores for activations in bfloat16 whose heads are small enough, where the card has them; else in float32. */
export function mixedAttentionGroup(device: CudaDevice): AttentionGroup {
	const exact = attentionGroup(device);
	if (device.tensorType === undefined) return exact;
	const flash = flashAttentionGroup(
		device,
		device.tensorType === 'bf16' ? inBfloat16(device) : inFloat16(device),
	);
	const of = ({ dtype }: View, shape: AttentionShape) =>
		dtype === 'f32' || sizeOf(shape) === undefined ? exact : flash;
	return {
		rope: exact.rope,
		attention: (...args) => of(args[2], args[6]).attention(...args),
		attentionBackward: (...args) => of(args[1].q, args[3]).attentionBackward(...args),
	};
}

/** The size that heads are padded to; undefined for heads that are too large for tensor cores. */
function sizeOf({ headDim }: Pick<AttentionShape, 'headDim'>): HeadSize | undefined {
	return headSizes.find((size) => headDim <= size);
}

/** Bytes of so many rows of a head of so many dimensions in 16 bits. */
const rowBytes = (rows: number, size: HeadSize) => 2 * rows * size;

/**
 * As in flashBfloat16.cuh: a block's own rows, then the two tiles that it walks over, in two stages or in one where memory is short; of queries
 * half as many rows as of keys.
 */
function inBfloat16(device: CudaDevice): TensorAttention {
	return {
		names: { forward: 'flashAttention', queries: 'flashBackwardQueries', keys: 'flashBackwardKeys' },
		planOf(size) {
			const rows = 64;
			const [walkedKeys, stages] = size > 128 ? [32, 1] : [64, 2];
			const sharedBytes = {
				forward: rowBytes(2 * 2 * walkedKeys, size),
				queries: rowBytes(2 * rows + stages * 2 * walkedKeys, size),
				keys: rowBytes(2 * rows + walkedKeys, size),
			};
			return { rows, sharedBytes };
		},
		argumentsOf: (operands) => [
			...operands.map(({ address }) => address),
			...operands.map(({ stride }) => stride),
		],
		headsOf(take, view, heads, { headDim }) {
			const size = sizeOf({ headDim })!;
			const [address, stride] = [device.columns(view), rowStrideOf(view)];
			// where they lie as the kernels read them already, nothing is copied
			if (headDim === size && address % 16 === 0 && stride % 8 === 0) return { address, stride };
			const tokens = view.shape[0]!;
			const target = take(rowBytes(tokens * heads, size));
			const args = [target, address, tokens, heads, headDim, size, stride];
			device.launchOver('padHeads', (tokens * heads * size) / 8, args);
			return { address: target, stride: heads * size };
		},
	};
}

/** As in flashFloat16.cuh: own rows where registers don't hold them, then the two tiles and a power of two for each of their rows. */
function inFloat16(device: CudaDevice): TensorAttention {
	return {
		names: { forward: 'float16Attention', queries: 'float16BackwardQueries', keys: 'float16BackwardKeys' },
		planOf(size) {
			const isWide = size > 128;
			const [rows, walked] = isWide ? [32, 16] : [64, 32];
			const bytes = (ownRows: number) => rowBytes(ownRows + 2 * walked, size) + 4 * 2 * walked;
			const sharedBytes = {
				forward: bytes(isWide ? rows : 0),
				queries: bytes(isWide ? 2 * rows : 0),
				keys: bytes(2 * rows),
			};
			return { rows, sharedBytes };
		},
		argumentsOf: (operands) => operands.flatMap(({ address, scales }) => [address, scales!]),
		headsOf(take, view, heads, { headDim }) {
			const size = sizeOf({ headDim })!;
			const tokens = view.shape[0]!;
			const [address, scales] = [take(rowBytes(tokens * heads, size)), take(4 * tokens * heads)];
			const args = [address, scales, device.columns(view), tokens, heads, headDim, size, rowStrideOf(view)];
			device.launchOver('headsToFloat16', (tokens * heads * size) / 8, args);
			return { address, stride: heads * size, scales };
		},
	};
}

/** Attention on tensor cores: sums and softmax in float32. */
function flashAttentionGroup(
	device: CudaDevice,
	{ names, planOf, headsOf, argumentsOf }: TensorAttention,
): Pick<Backend, 'attention' | 'attentionBackward'> {
	const { floats, values, columns } = device;

	/** Launches a kernel for every tile of rows, in parts, each with `heads` heads. */
	function launch(
		kind: keyof TensorAttention['names'],
		size: HeadSize,
		{ tokens, count }: Segments,
		[heads, parts]: readonly [heads: number, parts: number],
		args: readonly number[],
	): void {
		const { rows, sharedBytes } = planOf(size);
		const mostTiles = Math.floor(tokens / rows) + count;
		const grid = [mostTiles, heads, parts] as const;
		device.launch(`${names[kind]}${size}`, grid, 2 * rows, args, sharedBytes[kind]);
	}

	function segmentArguments({ starts, parents, count }: Segments, shape: AttentionShape): number[] {
		const { heads, keyValueHeads, headDim } = shape;
		const addresses = [device.address(starts), device.optionalAddress(parents)];
		return [...addresses, count, heads, keyValueHeads, headDim];
	}

	/** The kernels read and write bfloat16 alone. */
	function checkTypes(first: View, ...others: readonly View[]): void {
		kernelFor(names.forward, first, ...others);
	}

	return {
		attention(out, logSumExp, q, k, v, segments, shape) {
			checkTypes(out, q, k, v);
			expectEqualStrides(k, v);
			if (segments.tokens === 0) return;
			const size = sizeOf(shape)!;
			const { heads, keyValueHeads, causal, scale } = shape;
			device.withScratch(
				() => 'attention',
				(take) => {
					const operands = argumentsOf([
						headsOf(take, q, heads, shape),
						headsOf(take, k, keyValueHeads, shape),
						headsOf(take, v, keyValueHeads, shape),
					]);
					const args = [...segmentArguments(segments, shape), Number(causal), windowOf(shape), scale];
					const all = [values(out), floats(logSumExp), ...operands, ...args];
					launch('forward', size, segments, [heads, 1], all);
				},
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
			checkTypes(dq, dk, dv, q, k, v, out, dOut);
			expectEqualStrides(k, v);
			expectEqualStrides(dk, dv);
			if (segments.tokens === 0) return;
			const size = sizeOf(shape)!;
			const { heads, keyValueHeads, headDim, causal, scale } = shape;
			const rows = elements(logSumExp.shape);
			device.withScratch(
				() => 'the gradients of attention',
				(take) => {
					const delta = take(4 * rows); // [T, heads]
					attentionDelta(device, delta, out, dOut, rows, headDim);
					const inputs = [
						...argumentsOf([
							headsOf(take, q, heads, shape),
							headsOf(take, k, keyValueHeads, shape),
							headsOf(take, v, keyValueHeads, shape),
							headsOf(take, dOut, heads, shape),
						]),
						...[floats(logSumExp), delta],
						...segmentArguments(segments, shape),
					];
					const rest = [Number(causal), windowOf(shape), scale];
					const ofQueries = [columns(dq), ...inputs, rowStrideOf(dq), ...rest];
					launch('queries', size, segments, [heads, 1], ofQueries);
					const ofKeys = [columns(dk), columns(dv), ...inputs, rowStrideOf(dk), ...rest];
					// registers hold sums of 128 columns
					launch('keys', size, segments, [keyValueHeads, Math.ceil(size / 128)], ofKeys);
				},
			);
		},
	};
}
