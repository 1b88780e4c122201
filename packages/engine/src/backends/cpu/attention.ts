import { type AttentionOptions, type Backend, type Segments, type View, windowOf } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { elements, rowStrideOf } from '../view.ts';
import type { After } from './argument-lists.ts';
import { type CpuDevice, outOfMemoryGuard } from './device.ts';
import type { Address, EngineHandle } from './handles.ts';
import type { Kernels } from './kernel-table.ts';

export type AttentionGroup = Pick<Backend, 'rope' | 'attention' | 'attentionBackward'>;

/** What the kernels take after their pointers. */
type SizeArguments = After<
	Parameters<Kernels['attention']>,
	[EngineHandle, Address, Address, Address, Address, Address]
>;

export function attentionGroup(device: CpuDevice): AttentionGroup {
	const { address, columnsAddress, kernels } = device;

	function sizeArguments(
		{ starts, parents, count }: Segments,
		options: AttentionOptions,
		q: View,
		k: View,
	): SizeArguments {
		const strides = [rowStrideOf(q), rowStrideOf(k)] as const;
		const segments = [address(starts), device.optionalAddress(parents), count] as const;
		const { heads, keyValueHeads, headDim, causal, scale, precision } = options;
		const sizes = [heads, keyValueHeads, headDim, ...strides, causal, windowOf(options), scale] as const;
		return [...segments, ...sizes, precision === 'bf16'];
	}
	const scratchOf = (segments: Segments) => () =>
		`attention over segments of up to ${segments.longest} tokens`;

	return {
		rope(y, x, cos, sin, headDim, inverse) {
			const [rows, half] = [cos.shape[0]!, cos.shape[1]!];
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
				half,
				inverse,
			);
		},
		attention(out, logSumExp, q, k, v, segments, options) {
			expectEqualStrides(k, v);
			outOfMemoryGuard(scratchOf(segments), () =>
				kernels.attention(
					...([device.engine, address(out), address(logSumExp)] as const),
					...([columnsAddress(q), columnsAddress(k), columnsAddress(v)] as const),
					...sizeArguments(segments, options, q, k),
				),
			);
		},
		attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, options) {
			expectEqualStrides(q, dq);
			expectEqualStrides(k, v, dk, dv);
			outOfMemoryGuard(scratchOf(segments), () =>
				kernels.attentionBackward(
					...([device.engine, columnsAddress(dq), columnsAddress(dk), columnsAddress(dv)] as const),
					...([columnsAddress(q), columnsAddress(k), columnsAddress(v)] as const),
					...([address(out), address(logSumExp), address(dOut)] as const),
					...sizeArguments(segments, options, q, k),
				),
			);
		},
	};
}

function expectEqualStrides(first: View, ...others: readonly View[]): void {
	const other = others.find((view) => rowStrideOf(view) !== rowStrideOf(first));
	if (other === undefined) return;
	throw programError(
		'CPU_STRIDES',
		`attention takes matrices of one row stride, but got ${rowStrideOf(first)} and ${rowStrideOf(other)}`,
	);
}
