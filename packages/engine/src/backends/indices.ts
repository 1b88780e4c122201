import { VulntuneError } from '../errors.ts';
import type { Indices, Ranges, Segments, Targets, View } from './contract.ts';

/**
 * What kernels find memory by. These numbers are data, and one that is wrong would make a kernel read or write other memory:
 * they are looked at once, on the host, where they are made, and carry what is known of them. Whoever uses them compares that
 * with the size of its table, so that no kernel looks again and no device is waited for.
 */

/** A target that counts for nothing. */
export const IGNORED_TARGET = -100;

/** A view that holds these numbers, as rows of a table or classes. Throws ROW_RANGE for a negative one. */
export function indicesOf(view: View, values: ArrayLike<number>): Indices {
	let below = 0;
	for (let i = 0; i < values.length; i++) {
		if (values[i]! < 0) throw indexError('ROW_RANGE', `index ${i + 1} of ${values.length} is ${values[i]}`);
		below = Math.max(below, values[i]! + 1);
	}
	return { ...view, below };
}

/** The same for targets, which may be −100. */
export function targetsOf(view: View, values: ArrayLike<number>): Targets {
	const counted = Array.from(values).filter((value) => value !== IGNORED_TARGET);
	return { ...view, classes: indicesOf(view, counted).below };
}

/**
 * A view [F, 2R] that holds these ranges of rows. Throws POOL_RANGE unless every range [from, to) ascends from 0 or later and
 * every function has a row in its ranges.
 */
export function rangesOf(view: View, values: ArrayLike<number>): Ranges {
	const each = view.shape[1]!;
	let rows = 0;
	for (let first = 0; first < values.length; first += each) {
		let pooled = 0;
		for (let i = first; i < first + each; i += 2) {
			const [from, to] = [values[i]!, values[i + 1]!];
			pooled += to - from;
			rows = Math.max(rows, to);
			if (from >= 0 && from <= to) continue;
			throw indexError('POOL_RANGE', `range ${i / 2 + 1} of ${values.length / 2} is [${from}, ${to})`);
		}
		if (pooled > 0) continue;
		throw indexError('POOL_RANGE', `function ${first / each + 1} has no row to pool`);
	}
	return { ...view, rows };
}

/**
 * Segments over views that hold these boundaries [S + 1] and parents [S]. Throws ATTENTION_SEGMENTS unless the boundaries
 * ascend from 0, ATTENTION_PARENTS unless each parent is followed by its children.
 */
export function segmentsOf(
	views: { readonly starts: View; readonly parents?: View | undefined },
	starts: ArrayLike<number>,
	parents?: ArrayLike<number>,
): Segments {
	if (starts[0] !== 0) {
		throw indexError('ATTENTION_SEGMENTS', `segments should begin at 0, but begin at ${starts[0]}`);
	}
	const count = starts.length - 1;
	if (parents !== undefined && parents.length !== count) {
		throw indexError('ATTENTION_PARENTS', `${count} segments have ${parents.length} parents`);
	}
	let longest = 0;
	for (let s = 0; s < count; s++) {
		const length = starts[s + 1]! - starts[s]!;
		if (length < 0) {
			throw indexError('ATTENTION_SEGMENTS', `segment ${s} ends ${-length} tokens before it begins`);
		}
		const parent = parents?.[s] ?? -1;
		if (parents !== undefined && parent !== -1) checkParent(parents, s);
		const seen = parent === -1 ? length : length + starts[parent + 1]! - starts[parent]!;
		longest = Math.max(longest, seen);
	}
	return { ...views, count, tokens: starts[count]!, longest };
}

/** Between a parent and its child are children of that parent alone: what belongs together is one stretch. */
function checkParent(parents: ArrayLike<number>, s: number): void {
	const parent = parents[s]!;
	const isRoot = parent >= 0 && parent < s && parents[parent] === -1;
	if (isRoot && (parent === s - 1 || parents[s - 1] === parent)) return;
	throw indexError(
		'ATTENTION_PARENTS',
		`segment ${s} has segment ${parent} as parent, which is no parent before its children`,
	);
}

/** Throws ROW_RANGE unless the table has all rows that the indices ask for. */
export function expectRows(indices: Pick<Indices, 'below'>, rows: number): void {
	if (indices.below <= rows) return;
	throw indexError(
		'ROW_RANGE',
		`row ${indices.below - 1} is asked for, but the table has ${rows} rows`,
		'Check that the tokenizer belongs to the model: its ids must be below the size of the vocabulary.',
	);
}

/** Throws POOL_RANGE unless all ranges lie in the rows. */
export function expectRanges(ranges: Ranges, rows: number): void {
	if (ranges.rows <= rows) return;
	throw indexError('POOL_RANGE', `a range ends at ${ranges.rows}, but there are ${rows} rows`);
}

/** Throws ATTENTION_SEGMENTS unless the segments hold the tokens, ATTENTION_PARENTS where only causal attention sees a parent. */
export function expectSegments(segments: Segments, tokens: number, causal: boolean): void {
	if (segments.tokens !== tokens) {
		throw indexError(
			'ATTENTION_SEGMENTS',
			`segments should go from 0 to ${tokens}, but go from 0 to ${segments.tokens}`,
		);
	}
	if (segments.parents === undefined || causal) return;
	throw indexError('ATTENTION_PARENTS', 'segments have parents, but attention is not causal');
}

function indexError(
	code: string,
	message: string,
	remedy = 'This is a mistake in vulntune; please report it.',
): VulntuneError {
	return new VulntuneError({ code, kind: 'runtime', message, remedy });
}
