import { type AttentionShape, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { elements, rowStrideOf } from '../view.ts';
import { type AttentionGroup, attentionDelta, attentionGroup, expectEqualStrides } from './attention.ts';
import { type CudaDevice, kernelFor, type TakeScratch } from './device.ts';

/** As in flashAttention.cuh: rows of a block, its threads, queries of a tile that keys walk over, and the sizes of heads. */
const [blockRows, threads, walkedRows] = [64, 128, 32];
const headSizes = [32, 64, 128] as const;

/** Attention on tensor cores where the card has them for activations in bfloat16 and heads are small enough, else in float32. */
export function mixedAttentionGroup(device: CudaDevice): AttentionGroup {
	const exact = attentionGroup(device);
	if (device.tensorType !== 'bf16') return exact;
	const flash = flashAttentionGroup(device);
	const of = ({ dtype }: View, shape: AttentionShape) =>
		dtype === 'f32' || flashSizeOf(shape) === undefined ? exact : flash;
	return {
		rope: exact.rope,
		attention: (...args) => of(args[2], args[6]).attention(...args),
		attentionBackward: (...args) => of(args[1].q, args[3]).attentionBackward(...args),
	};
}

/** The size that heads are padded to on tensor cores; undefined for heads that are too large for them. */
function flashSizeOf({ headDim }: Pick<AttentionShape, 'headDim'>): number | undefined {
	return headSizes.find((size) => headDim <= size);
}

/** Heads as the kernels read them: elements from one token's to the next one's. */
interface Heads {
	readonly address: number;
	readonly stride: number;
}

/** Attention on tensor cores: sums and softmax in float32. */
function flashAttentionGroup(device: CudaDevice): Pick<Backend, 'attention' | 'attentionBackward'> {
	const { floats, values, columns } = device;

	function mostTiles({ tokens, count }: Segments): number {
		return Math.floor(tokens / blockRows) + count;
	}

	/** Heads of `size` dimensions; where they lie as the kernels read them already, nothing is copied. */
	function headsOf(take: TakeScratch, view: View, heads: number, { headDim }: AttentionShape): Heads {
		const size = flashSizeOf({ headDim })!;
		const [address, stride] = [columns(view), rowStrideOf(view)];
		if (headDim === size && address % 16 === 0 && stride % 8 === 0) return { address, stride };
		const tokens = view.shape[0]!;
		const target = take(2 * tokens * heads * size);
		const args = [target, address, tokens, heads, headDim, size, stride];
		device.launchOver('padHeads', (tokens * heads * size) / 8, args);
		return { address: target, stride: heads * size };
	}

	function segmentArguments({ starts, parents, count }: Segments, shape: AttentionShape): number[] {
		const { heads, keyValueHeads, headDim } = shape;
		const addresses = [device.address(starts), device.optionalAddress(parents)];
		return [...addresses, count, heads, keyValueHeads, headDim];
	}

	/** Bytes of so many rows of a head. */
	const shared = (rows: number, size: number) => 2 * rows * size;

	/** The kernels read and write bfloat16 alone. */
	function checkTypes(first: View, ...others: readonly View[]): void {
		kernelFor('flashAttention', first, ...others);
	}

	/** Addresses, then strides, as the kernels take them. */
	const argumentsOf = (...all: readonly Heads[]) => [
		...all.map(({ address }) => address),
		...all.map(({ stride }) => stride),
	];

	return {
		attention(out, logSumExp, q, k, v, segments, shape) {
			checkTypes(out, q, k, v);
			expectEqualStrides(k, v);
			if (segments.tokens === 0) return;
			const size = flashSizeOf(shape)!;
			const { heads, keyValueHeads, causal, scale } = shape;
			device.withScratch(
				() => 'attention',
				(take) => {
					const operands = argumentsOf(
						headsOf(take, q, heads, shape),
						headsOf(take, k, keyValueHeads, shape),
						headsOf(take, v, keyValueHeads, shape),
					);
					const args = [...segmentArguments(segments, shape), Number(causal), windowOf(shape), scale];
					device.launch(
						`flashAttention${size}`,
						[mostTiles(segments), heads],
						threads,
						[values(out), floats(logSumExp), ...operands, ...args],
						shared(5 * blockRows, size),
					);
				},
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
			checkTypes(dq, dk, dv, q, k, v, out, dOut);
			expectEqualStrides(k, v);
			expectEqualStrides(dk, dv);
			if (segments.tokens === 0) return;
			const size = flashSizeOf(shape)!;
			const { heads, keyValueHeads, headDim, causal, scale } = shape;
			const rows = elements(logSumExp.shape);
			device.withScratch(
				() => 'the gradients of attention',
				(take) => {
					const delta = take(4 * rows); // [T, heads]
					attentionDelta(device, delta, out, dOut, rows, headDim);
					const inputs = [
						...argumentsOf(
							headsOf(take, q, heads, shape),
							headsOf(take, k, keyValueHeads, shape),
							headsOf(take, v, keyValueHeads, shape),
							headsOf(take, dOut, heads, shape),
						),
						...[floats(logSumExp), delta],
						...segmentArguments(segments, shape),
					];
					const rest = [Number(causal), windowOf(shape), scale];
					const tiles = mostTiles(segments);
					device.launch(
						`flashBackwardQueries${size}`,
						[tiles, heads],
						threads,
						[columns(dq), ...inputs, rowStrideOf(dq), ...rest],
						shared(6 * blockRows, size),
					);
					device.launch(
						`flashBackwardKeys${size}`,
						[tiles, keyValueHeads],
						threads,
						[columns(dk), columns(dv), ...inputs, rowStrideOf(dk), ...rest],
						shared(2 * blockRows + 2 * walkedRows, size),
					);
				},
			);
		},
	};
}
