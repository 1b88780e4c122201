import { type AttentionShape, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { elements, rowStrideOf } from '../view.ts';
import { type CudaDevice, kernelFor } from './device.ts';

export type AttentionGroup = Pick<Backend, 'rope' | 'attention' | 'attentionBackward'>;

/** As in attention.cuh: rows of a block, its threads, and per size of a head the rows of a tile that it walks over. */
const blockRows = 16;
const threads = 128;
const sizes = [
	{ most: 64, tileRows: 32 },
	{ most: 128, tileRows: 32 },
	{ most: 256, tileRows: 16 },
] as const;

type HeadSize = (typeof sizes)[number];

/** Rotary embedding and attention over segments. */
export function attentionGroup(device: CudaDevice): AttentionGroup {
	const { floats, values, columns } = device;

	function headSize({ headDim }: AttentionShape): HeadSize {
		const size = sizes.find(({ most }) => headDim <= most);
		if (size === undefined) {
			throw programError('CUDA_HEAD_SIZE', `attention takes heads of up to 256 dimensions, not ${headDim}`);
		}
		return size;
	}

	/** What all kernels take last. */
	function layout({ starts, parents, count }: Segments, shape: AttentionShape, q: View, k: View): number[] {
		const addresses = [device.address(starts), device.optionalAddress(parents), count];
		const { heads, keyValueHeads, headDim, causal, scale } = shape;
		const strides = [rowStrideOf(q), rowStrideOf(k)];
		return [...addresses, heads, keyValueHeads, headDim, ...strides, Number(causal), windowOf(shape), scale];
	}

	/** Tiles that begin at the segments' starts: so many at most; a block without one ends at once. */
	function mostTiles({ tokens, count }: Segments): number {
		return Math.floor(tokens / blockRows) + count;
	}

	/** Bytes of so many rows of a head and of `weights` numbers. */
	function shared(rows: number, headDim: number, weights: number): number {
		return 4 * (rows * (headDim + 1) + weights);
	}

	return {
		rope(y, x, cos, sin, headDim, inverse) {
			const [tokens, half] = [cos.shape[0]!, cos.shape[1]!];
			const heads = elements(x.shape) / tokens / headDim;
			const tensors = [values(y), values(x), floats(cos), floats(sin)];
			const args = [...tensors, tokens, heads, headDim, half, inverse ? -1 : 1];
			device.launchOver(kernelFor('rope', y, x), tokens * heads * (headDim - half), args);
		},
		attention(out, logSumExp, q, k, v, segments, shape) {
			const { most, tileRows } = headSize(shape);
			expectEqualStrides(k, v);
			if (segments.tokens === 0) return;
			const tensors = [values(out), floats(logSumExp), ...[q, k, v].map(columns)];
			const args = layout(segments, shape, q, k);
			const bytes = shared(blockRows + 2 * tileRows, shape.headDim, blockRows * tileRows);
			device.launch(
				kernelFor(`attention${most}`, out, q, k, v),
				[mostTiles(segments), shape.heads],
				threads,
				[...tensors, ...args],
				bytes,
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
			const { most, tileRows } = headSize(shape);
			const { heads, keyValueHeads, headDim } = shape;
			expectEqualStrides(q, dq);
			expectEqualStrides(k, v, dk, dv);
			if (segments.tokens === 0) return;
			const tiles = mostTiles(segments);
			const rows = elements(logSumExp.shape);
			device.withScratch(
				() => 'the gradients of attention',
				(take) => {
					const delta = take(4 * rows); // [T, heads]
					attentionDelta(device, delta, out, dOut, rows, headDim);
					const saved = [...[q, k, v].map(columns), values(dOut), floats(logSumExp), delta];
					const inputs = [...saved, ...layout(segments, shape, q, k)];
					const bytes = (weights: number) =>
						shared(2 * blockRows + 2 * tileRows, headDim, weights * blockRows * tileRows);
					device.launch(
						kernelFor(`attentionBackwardQueries${most}`, dq, q, k, v, dOut),
						[tiles, heads],
						threads,
						[columns(dq), ...inputs],
						bytes(1),
					);
					device.launch(
						kernelFor(`attentionBackwardKeys${most}`, dk, dv, q, k, v, dOut),
						[tiles, keyValueHeads],
						threads,
						[columns(dk), columns(dv), ...inputs],
						bytes(2),
					);
				},
			);
		},
	};
}

/** delta f32 [rows] = dOut · out of every row of a head. */
export function attentionDelta(
	device: CudaDevice,
	delta: number,
	out: View,
	dOut: View,
	rows: number,
	headDim: number,
): void {
	const args = [delta, device.values(out), device.values(dOut), rows, headDim];
	device.launchOver(kernelFor('attentionDelta', out, dOut), 32 * rows, args);
}

/** Throws CUDA_STRIDES unless all matrices have the row stride of the first. */
export function expectEqualStrides(first: View, ...others: readonly View[]): void {
	const other = others.find((view) => rowStrideOf(view) !== rowStrideOf(first));
	if (other === undefined) return;
	throw programError(
		'CUDA_STRIDES',
		`attention takes matrices of one row stride, but got ${rowStrideOf(first)} and ${rowStrideOf(other)}`,
	);
}
