import {
	type Context,
	poolRows,
	release,
	type Tensor,
	uploadIndices,
	uploadRanges,
	uploadSegments,
} from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import { type Pool, pooledRows, poolRanges } from '../methods/head.ts';
import type { Pack } from '../packing/pack.ts';

/** Hidden states [T, H] of a pack after the final norm, or [R, H] of `rows` [R] alone, which costs less. */
export function hiddenStates(
	context: Context,
	{ model }: Pick<Detector, 'model'>,
	pack: Pack,
	checkpointing: boolean,
	rows?: Int32Array,
): Tensor {
	const tensors = {
		ids: uploadIndices(context, pack.inputIds),
		positions: uploadIndices(context, pack.positionIds),
		segments: uploadSegments(context, pack.segmentStarts, pack.segmentParents),
	};
	const wanted = rows === undefined ? undefined : uploadIndices(context, rows);
	return model.hidden(context, tensors, { checkpointing, rows: wanted });
}

/** One state [F, H] per function of a pack. Where it is that of one token, the last block computes no other. */
export function functionStates(
	context: Context,
	detector: Pick<Detector, 'model'>,
	pool: Pool,
	pack: Pack,
	checkpointing: boolean,
): Tensor {
	if (pool === 'last' || pool === 'first') {
		return hiddenStates(context, detector, pack, checkpointing, pooledRows(pool, pack));
	}
	const hidden = hiddenStates(context, detector, pack, checkpointing); // [T, H]
	const pooled = poolRows(context, pool, hidden, uploadRanges(context, ...poolRanges(pack)));
	release(context, hidden);
	return pooled;
}
