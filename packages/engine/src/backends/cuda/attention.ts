import { type AttentionShape, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { elements, rowStrideOf } from '../view.ts';
import { type CudaDevice, kernelFor } from './device.ts';

export type AttentionGroup = Pick<Backend, 'rope' | 'attention' | 'attentionBackward'>;

/** As in attention.cuh: rows of a block, its threads, and the largest heads of each kernel. */
const [blockRows, threads] = [64, 256];
const sizes = [64, 128, 256] as const;

/** Rotary embedding and attention over segments. */
export function attentionGroup(device: CudaDevice): AttentionGroup {
	const { floats, values, columns } = device;

	function headSize({ headDim }: AttentionShape): number {
		const size = sizes.find((most) => headDim <= most);
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

	return {
		rope(y, x, cos, sin, headDim, inverse) {
			const [tokens, half] = [cos.shape[0]!, cos.shape[1]!];
			const heads = elements(x.shape) / tokens / headDim;
			const tensors = [values(y), values(x), floats(cos), floats(sin)];
			const args = [...tensors, tokens, heads, headDim, half, inverse ? -1 : 1];
			device.launchOver(kernelFor('rope', y, x), tokens * heads * (headDim - half), args);
		},
		attention(out, logSumExp, q, k, v, segments, shape) {
			const most = headSize(shape);
			expectEqualStrides(k, v);
			if (segments.tokens === 0) return;
			const tensors = [values(out), floats(logSumExp), ...[q, k, v].map(columns)];
			const args = layout(segments, shape, q, k);
			device.launch(
				kernelFor(`attention${most}`, out, q, k, v),
				[mostTiles(segments), shape.heads],
				threads,
				[...tensors, ...args],
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
			const most = headSize(shape);
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
					device.launch(
						kernelFor(`attentionBackwardQueries${most}`, dq, q, k, v, dOut),
						[tiles, heads],
						threads,
						[columns(dq), ...inputs],
					);
					device.launch(
						kernelFor(`attentionBackwardKeys${most}`, dk, dv, q, k, v, dOut),
						[tiles, keyValueHeads],
						threads,
						[columns(dk), columns(dv), ...inputs],
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
