import { type Context, type PackTensors, uploadIndices, uploadSegments } from '@vulntune/engine';

/** A batch as the fixtures write it: rows of equal length with padding (segment −1). */
export interface FixtureBatch {
	readonly input_ids: readonly (readonly number[])[];
	readonly segment_ids: readonly (readonly number[])[];
	readonly position_ids: readonly (readonly number[])[];
}

export interface FlatBatch {
	readonly ids: Int32Array;
	readonly positions: Int32Array;
	/** Boundaries of the functions, over all rows. */
	readonly functionStarts: Int32Array;
	/** Boundaries of the rows. */
	readonly rowStarts: Int32Array;
	/** Index of a token of the fixture's [B, S] among the tokens that are not padding, −1 for padding. */
	readonly indexOf: (row: number, column: number) => number;
	/** Flat [B × S] positions of the tokens that are not padding. */
	readonly kept: readonly number[];
}

/** Drops the padding and puts all rows into one pack, as the engine takes them. */
export function flatten(batch: FixtureBatch): FlatBatch {
	const ids: number[] = [];
	const positions: number[] = [];
	const functionStarts: number[] = [];
	const rowStarts: number[] = [];
	const kept: number[] = [];
	const index = new Map<number, number>();
	const width = batch.input_ids[0]!.length;
	for (const [row, rowIds] of batch.input_ids.entries()) {
		rowStarts.push(ids.length);
		let segment = Number.NaN;
		for (const [column, id] of rowIds.entries()) {
			const own = batch.segment_ids[row]![column]!;
			if (own < 0) continue;
			if (own !== segment) functionStarts.push(ids.length);
			segment = own;
			index.set(row * width + column, ids.length);
			kept.push(row * width + column);
			ids.push(id);
			positions.push(batch.position_ids[row]![column]!);
		}
	}
	return {
		ids: Int32Array.from(ids),
		positions: Int32Array.from(positions),
		functionStarts: Int32Array.from([...functionStarts, ids.length]),
		rowStarts: Int32Array.from([...rowStarts, ids.length]),
		indexOf: (row, column) => index.get(row * width + column) ?? -1,
		kept,
	};
}

/** A batch of an encoder: a function a row, which a mask tells from its padding. */
export interface EncoderBatch {
	readonly input_ids: readonly (readonly number[])[];
	readonly attention_mask: readonly (readonly number[])[];
}

/** The same with each row as one segment. */
export function segmented<Batch extends EncoderBatch>(batch: Batch): Batch & FixtureBatch {
	return {
		...batch,
		segment_ids: batch.attention_mask.map((row) => row.map((real) => (real === 1 ? 0 : -1))),
		position_ids: batch.input_ids.map((row) => row.map((_, column) => column)),
	};
}

export function flattenEncoderBatch(batch: EncoderBatch): FlatBatch {
	return flatten(segmented(batch));
}

/** Positions counted from 0: where an encoder's table begins is the model's own affair. */
export function startingAtZero(batch: FixtureBatch): FixtureBatch {
	const rows = batch.position_ids.map((row, r) => row.filter((_, c) => batch.segment_ids[r]![c]! >= 0));
	const first = Math.min(...rows.flat());
	return { ...batch, position_ids: batch.position_ids.map((row) => row.map((position) => position - first)) };
}

export function packTensors(
	context: Context,
	ids: Int32Array,
	positions: Int32Array,
	starts: Int32Array,
): PackTensors {
	return {
		ids: uploadIndices(context, ids),
		positions: uploadIndices(context, positions),
		segments: uploadSegments(context, starts),
	};
}
