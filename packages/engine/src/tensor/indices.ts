import type { Indices, Ranges, Segments, Targets, View } from '../backends/contract.ts';
import { indicesOf, rangesOf, segmentsOf, targetsOf } from '../backends/indices.ts';
import { type Context, upload } from './tensor.ts';

/** Rows of a table, or classes: checked here, then copied to memory of the pass. */
export function uploadIndices(context: Context, values: Int32Array): Indices {
	return indicesOf(upload(context, values), values);
}

/** Classes, or −100 for none. */
export function uploadTargets(context: Context, values: Int32Array): Targets {
	return targetsOf(upload(context, values), values);
}

/** Ranges of rows [F, 2R]: R of each function. */
export function uploadRanges(context: Context, values: Int32Array, shape: readonly [number, number]): Ranges {
	return rangesOf(upload(context, values, shape), values);
}

/** Segments from their boundaries [S + 1] and the parent of each [S], −1 for none; no parents at all where none has one. */
export function uploadSegments(context: Context, starts: Int32Array, parents?: Int32Array): Segments {
	const above = parents?.some((parent) => parent !== -1) === true ? parents : undefined;
	const views: { starts: View; parents: View | undefined } = {
		starts: upload(context, starts),
		parents: above === undefined ? undefined : upload(context, above),
	};
	return segmentsOf(views, starts, above);
}
