import type { AttentionShape, Backend, Segments } from '../contract.ts';
import { elements } from '../view.ts';
import type { After } from './argument-lists.ts';
import { type CpuDevice, outOfMemoryGuard } from './device.ts';
import type { Kernels } from './kernel-table.ts';
import type { Address, EngineHandle } from './native.ts';

export type AttentionGroup = Pick<Backend, 'rope' | 'attention' | 'attentionBackward'>;

/** What the kernels take after their pointers. */
type SizeArguments = After<
	Parameters<Kernels['attention']>,
	[EngineHandle, Address, Address, Address, Address, Address]
>;

export function attentionGroup(device: CpuDevice): AttentionGroup {
	const { address, kernels } = device;

	function sizeArguments({ starts, parents, count }: Segments, shape: AttentionShape): SizeArguments {
		const { heads, keyValueHeads, headDim, causal, scale } = shape;
		return [
			address(starts),
			device.optionalAddress(parents),
			count,
			heads,
			keyValueHeads,
			headDim,
			causal,
			scale,
		];
	}
	const scratchOf = (segments: Segments) => () =>
		`attention over segments of up to ${segments.longest} tokens`;

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
		attention(out, logSumExp, q, k, v, segments, shape) {
			outOfMemoryGuard(scratchOf(segments), () =>
				kernels.attention(
					device.engine,
					address(out),
					address(logSumExp),
					address(q),
					address(k),
					address(v),
					...sizeArguments(segments, shape),
				),
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape) {
			outOfMemoryGuard(scratchOf(segments), () =>
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
					...sizeArguments(segments, shape),
				),
			);
		},
	};
}
