import { type AttentionShape, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { elements, rowStrideOf } from '../view.ts';
import { type AttentionGroup, attentionGroup, expectEqualStrides } from './attention.ts';
import type { CudaDevice, TakeScratch } from './device.ts';

/** As in flashAttention.cuh: rows of a block, its threads, queries of a tile that keys walk over, and the sizes of heads. */
const [blockRows, threads, walkedRows] = [64, 128, 32];
const headSizes = [32, 64, 128] as const;

/** Attention on tensor cores where heads are small enough for them, else in float32. */
export function mixedAttentionGroup(device: CudaDevice): AttentionGroup {
	const exact = attentionGroup(device);
	const flash = flashAttentionGroup(device);
	const of = (shape: AttentionShape) => (flashSizeOf(shape) === undefined ? exact : flash);
	return {
		rope: exact.rope,
		attention: (...args) => of(args[6]).attention(...args),
		attentionBackward: (...args) => of(args[3]).attentionBackward(...args),
	};
}

/** The size that heads are padded to on tensor cores; undefined for heads that are too large for them. */
function flashSizeOf({ headDim }: Pick<AttentionShape, 'headDim'>): number | undefined {
	return headSizes.find((size) => headDim <= size);
}

/** Attention on tensor cores: operands rounded to bfloat16, sums and softmax in float32. */
function flashAttentionGroup(device: CudaDevice): Pick<Backend, 'attention' | 'attentionBackward'> {
	const { floats, columns } = device;

	function mostTiles({ tokens, count }: Segments): number {
		return Math.floor(tokens / blockRows) + count;
	}

	/** A matrix of heads in bfloat16, padded to `size` dimensions. */
	function padded(take: TakeScratch, view: View, heads: number, { headDim }: AttentionShape, size: number) {
		const tokens = view.shape[0]!;
		const target = take(2 * tokens * heads * size);
		const args = [target, columns(view), tokens, heads, headDim, size, rowStrideOf(view)];
		device.launchOver('headsToBfloat16', (tokens * heads * size) / 8, args);
		return target;
	}

	function segmentArguments({ starts, parents, count }: Segments, shape: AttentionShape): number[] {
		const { heads, keyValueHeads, headDim } = shape;
		const addresses = [device.address(starts), device.optionalAddress(parents)];
		return [...addresses, count, heads, keyValueHeads, headDim];
	}

	/** Bytes of so many rows of a head. */
	const shared = (rows: number, size: number) => 2 * rows * size;

	return {
		attention(out, logSumExp, q, k, v, segments, shape) {
			expectEqualStrides(k, v);
			if (segments.tokens === 0) return;
			const size = flashSizeOf(shape)!;
			const { heads, keyValueHeads, causal, scale } = shape;
			device.withScratch(
				() => 'attention',
				(take) => {
					const operands = [
						padded(take, q, heads, shape, size),
						...[k, v].map((view) => padded(take, view, keyValueHeads, shape, size)),
					];
					const args = [...segmentArguments(segments, shape), Number(causal), windowOf(shape), scale];
					device.launch(
						`flashAttention${size}`,
						[mostTiles(segments), heads],
						threads,
						[floats(out), floats(logSumExp), ...operands, ...args],
						shared(5 * blockRows, size),
					);
				},
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
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
					device.launchOver('attentionDelta', 32 * rows, [delta, floats(out), floats(dOut), rows, headDim]);
					const inputs = [
						padded(take, q, heads, shape, size),
						...[k, v].map((view) => padded(take, view, keyValueHeads, shape, size)),
						padded(take, dOut, heads, shape, size),
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
