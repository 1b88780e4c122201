import { type Context, llamaHidden, type Tensor, upload } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Pack } from '../packing/pack.ts';

/** Hidden states [T, H] of a pack after the final norm. */
export function hiddenStates(
	context: Context,
	{ model }: Pick<Detector, 'model'>,
	pack: Pack,
	checkpointing: boolean,
): Tensor {
	const starts = pack.attentionStarts;
	let longest = 0;
	for (let s = 1; s < starts.length; s++) longest = Math.max(longest, starts[s]! - starts[s - 1]!);
	const tensors = {
		ids: upload(context, pack.inputIds),
		positions: upload(context, pack.positionIds),
		segments: { starts: upload(context, starts), longest },
	};
	return llamaHidden(context, model, tensors, { checkpointing });
}
