import {
	type Checkpointing,
	type Context,
	joinColumns,
	poolRows,
	release,
	type Tensor,
	uploadIndices,
	uploadRanges,
	uploadSegments,
} from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import { type Pool, pooledRows, pooledSize, poolRanges } from '../methods/head.ts';
import type { Pack } from '../packing/pack.ts';
import { aboveLowerStates, keepPooledStates, keptPooledStates } from './kept-states.ts';

/** Hidden states [T, H] of a pack after the final norm, or [R, H] of `rows` [R] alone, which costs less. */
export function hiddenStates(
	context: Context,
	{ model, lowerStates }: Pick<Detector, 'model' | 'lowerStates'>,
	pack: Pack,
	checkpointing: Checkpointing,
	rows?: Int32Array,
): Tensor {
	const { prefixLength } = model;
	const tensors = {
		ids: uploadIndices(context, pack.inputIds),
		positions: uploadIndices(
			context,
			pack.positionIds.map((position) => position + prefixLength),
		),
		segments: uploadSegments(context, pack.segmentStarts, pack.segmentParents),
		prefixed: prefixLength === 0 ? undefined : prefixed(context, pack, prefixLength),
	};
	const wanted = rows === undefined ? undefined : uploadIndices(context, rows);
	const lower = lowerStates && aboveLowerStates(context, lowerStates, pack, model.config.hiddenSize);
	return model.hidden(context, tensors, { checkpointing, rows: wanted, ...lower });
}

/** The pack behind a prefix, the parent of every function: no function may have another parent. */
function prefixed(context: Context, { inputIds, segmentStarts, segmentParents }: Pack, length: number) {
	if (segmentParents.some((parent) => parent !== -1)) {
		throw new TypeError('functions behind a prefix share no other beginning');
	}
	const starts = Int32Array.from([0, ...segmentStarts.map((start) => start + length)]); // [S + 2]
	const parents = Int32Array.from(starts.subarray(1), (_, segment) => (segment === 0 ? -1 : 0)); // [S + 1]
	return {
		segments: uploadSegments(context, starts, parents),
		own: uploadIndices(
			context,
			Int32Array.from(inputIds, (_, token) => token + length),
		),
	};
}

/** One state [F, K] per function of a pack: kept ones, where the base was run on all of its functions before. */
export function functionStates(
	context: Context,
	detector: Pick<Detector, 'model' | 'keptStates' | 'lowerStates'>,
	pool: Pool,
	pack: Pack,
	checkpointing: Checkpointing,
): Tensor {
	const { keptStates, model } = detector;
	if (keptStates === undefined) return computedStates(context, detector, pool, pack, checkpointing);
	const kept = keptPooledStates(context, keptStates, pack, pooledSize(pool, model.config.hiddenSize)); // [F, K]
	if (kept !== undefined) return kept;
	const states = computedStates(context, detector, pool, pack, checkpointing); // [F, K]
	keepPooledStates(context, keptStates, pack, states);
	return states;
}

/** Where a function's state is that of one token, the last block computes no other. */
function computedStates(
	context: Context,
	detector: Pick<Detector, 'model' | 'lowerStates'>,
	pool: Pool,
	pack: Pack,
	checkpointing: Checkpointing,
): Tensor {
	if (pool === 'last' || pool === 'first') {
		return hiddenStates(context, detector, pack, checkpointing, pooledRows(pool, pack));
	}
	const hidden = hiddenStates(context, detector, pack, checkpointing); // [T, H]
	const pooled = pooledStates(context, pool, hidden, uploadRanges(context, ...poolRanges(pack)));
	release(context, hidden);
	return pooled;
}

/** Of the states [T, H] in each function's ranges [F, 4]: [F, K]. */
function pooledStates(
	context: Context,
	pool: Exclude<Pool, 'last' | 'first'>,
	hidden: Tensor,
	ranges: ReturnType<typeof uploadRanges>,
): Tensor {
	if (pool !== 'meanMax') return poolRows(context, pool, hidden, ranges); // [F, H]
	const mean = poolRows(context, 'mean', hidden, ranges); // [F, H]
	const maximum = poolRows(context, 'max', hidden, ranges); // [F, H]
	const joined = joinColumns(context, [mean, maximum]); // [F, 2H]
	release(context, mean, maximum);
	return joined;
}
