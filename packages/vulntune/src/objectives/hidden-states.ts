import { type Context, llamaHidden, type Segments, type Tensor, upload } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Pack } from '../packing/pack.ts';

/** Hidden states [T, H] of a pack after the final norm. */
export function hiddenStates(
	context: Context,
	{ model }: Pick<Detector, 'model'>,
	pack: Pack,
	checkpointing: boolean,
): Tensor {
	const tensors = {
		ids: upload(context, pack.inputIds),
		positions: upload(context, pack.positionIds),
		segments: segmentsOf(context, pack),
	};
	return llamaHidden(context, model, tensors, { checkpointing });
}

function segmentsOf(
	context: Context,
	{ attentionStarts: starts, attentionParents: parents }: Pack,
): Segments {
	const lengthOf = (s: number) => starts[s + 1]! - starts[s]!;
	let longest = 0;
	for (const [s, parent] of parents.entries()) {
		longest = Math.max(longest, lengthOf(s) + (parent < 0 ? 0 : lengthOf(parent)));
	}
	const hasParents = parents.some((parent) => parent >= 0);
	return {
		starts: upload(context, starts),
		parents: hasParents ? upload(context, parents) : undefined,
		longest,
	};
}
