import type { AttentionShape, Backend, View } from '../contract.ts';
import { checkSegments } from '../index-checks.ts';
import { elements } from '../view.ts';
import { type CpuDevice, integersOf, outOfMemoryGuard } from './device.ts';
import { kernelsOf } from './native.ts';

export type AttentionGroup = Pick<Backend, 'rope' | 'attention' | 'attentionBackward'>;

/** What the kernels take after their pointers. */
type SizeArguments = readonly [
	segmentStarts: number,
	segments: number,
	heads: number,
	keyValueHeads: number,
	headDim: number,
	causal: boolean,
	scale: number,
];

interface AttentionKernels {
	rope(
		engine: number,
		y: number,
		x: number,
		cosine: number,
		sine: number,
		rows: number,
		heads: number,
		headDim: number,
		inverse: boolean,
	): void;
	attention(
		engine: number,
		out: number,
		logSumExp: number,
		q: number,
		k: number,
		v: number,
		...sizes: SizeArguments
	): void;
	attentionBackward(
		engine: number,
		dq: number,
		dk: number,
		dv: number,
		q: number,
		k: number,
		v: number,
		out: number,
		logSumExp: number,
		dOut: number,
		...sizes: SizeArguments
	): void;
}

export function attentionGroup(device: CpuDevice): AttentionGroup {
	const kernels = kernelsOf<AttentionKernels>(device.addon);
	const { address } = device;

	function sizeArguments(segmentStarts: View, tokens: number, shape: AttentionShape): SizeArguments {
		checkSegments(integersOf(device, segmentStarts), tokens, shape.longestSegment);
		const segments = elements(segmentStarts.shape) - 1;
		const { heads, keyValueHeads, headDim, causal, scale } = shape;
		return [address(segmentStarts), segments, heads, keyValueHeads, headDim, causal, scale];
	}
	const scratchOf = (shape: AttentionShape) => () =>
		`attention over segments of up to ${shape.longestSegment} tokens`;

	return {
		rope(y, x, cos, sin, headDim, inverse) {
			const rows = cos.shape[0]!;
			const heads = elements(x.shape) / rows / headDim;
			kernels.rope(
				device.engine,
				address(y),
				address(x),
				address(cos),
				address(sin),
				rows,
				heads,
				headDim,
				inverse,
			);
		},
		attention(out, logSumExp, q, k, v, segmentStarts, shape) {
			outOfMemoryGuard(scratchOf(shape), () =>
				kernels.attention(
					device.engine,
					address(out),
					address(logSumExp),
					address(q),
					address(k),
					address(v),
					...sizeArguments(segmentStarts, q.shape[0]!, shape),
				),
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segmentStarts }, dOut, shape) {
			outOfMemoryGuard(scratchOf(shape), () =>
				kernels.attentionBackward(
					device.engine,
					address(dq),
					address(dk),
					address(dv),
					address(q),
					address(k),
					address(v),
					address(out),
					address(logSumExp),
					address(dOut),
					...sizeArguments(segmentStarts, q.shape[0]!, shape),
				),
			);
		},
	};
}
