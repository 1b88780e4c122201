import {
	type Checkpointing,
	type Context,
	joinColumns,
	poolRows,
	release,
	type Tensor,
	upload,
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
	return model.hidden(context, tensors, { checkpointing, rows: wanted });
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
	detector: Pick<Detector, 'model' | 'keptStates'>,
	pool: Pool,
	pack: Pack,
	checkpointing: Checkpointing,
): Tensor {
	const { keptStates } = detector;
	if (keptStates === undefined) return computedStates(context, detector, pool, pack, checkpointing);
	const pieces = Array.from(pack.poolPositions, (_, f) => pieceTokens(pack, f));
	const kept = pieces.flatMap((tokens) => keptStates.get(tokens) ?? []);
	if (kept.length === pieces.length) {
		const size = kept[0]!.length;
		const values = new Float32Array(pieces.length * size); // [F, K]
		for (const [f, state] of kept.entries()) values.set(state, f * size);
		return upload(context, values, [pieces.length, size]); // [F, K]
	}
	const states = computedStates(context, detector, pool, pack, checkpointing); // [F, K]
	const values = context.backend.download(states) as Float32Array; // [F, K]
	const size = states.shape[1]!;
	for (const [f, tokens] of pieces.entries())
		keptStates.put(tokens, values.subarray(f * size, (f + 1) * size));
	return states;
}

/** All tokens of a function or window in a pack, those that it shares with another one included, its separator not. */
function pieceTokens({ inputIds, prefixRanges, pieceStarts }: Pack, f: number): Int32Array {
	const prefix = inputIds.subarray(prefixRanges[2 * f]!, prefixRanges[2 * f + 1]!);
	const own = inputIds.subarray(pieceStarts[f]!, pieceStarts[f + 1]! - 1);
	const tokens = new Int32Array(prefix.length + own.length);
	tokens.set(prefix);
	tokens.set(own, prefix.length);
	return tokens;
}

/** Where a function's state is that of one token, the last block computes no other. */
function computedStates(
	context: Context,
	detector: Pick<Detector, 'model'>,
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
