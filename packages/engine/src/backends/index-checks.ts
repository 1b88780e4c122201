import { VulntuneError } from '../errors.ts';

/**
 * What kernels find memory by, checked before they run: these numbers are data, and one that is wrong would make a
 * kernel read or write other memory.
 */

/** Throws LABEL_RANGE unless every label is one of the classes. */
export function checkLabels(labels: ArrayLike<number>, classes: number): void {
	for (let f = 0; f < labels.length; f++) {
		const label = labels[f]!;
		if (label >= 0 && label < classes) continue;
		throw indexError(
			'LABEL_RANGE',
			`label ${f + 1} of ${labels.length} is ${label}, but there are ${classes} classes`,
		);
	}
}

/** Throws POOL_RANGE unless every range [from, to) is one of the rows and every function has a row in its ranges. */
export function checkRanges(ranges: ArrayLike<number>, rows: number, rangesPerFunction: number): void {
	for (let first = 0; first < ranges.length; first += 2 * rangesPerFunction) {
		let pooled = 0;
		for (let i = first; i < first + 2 * rangesPerFunction; i += 2) {
			const [from, to] = [ranges[i]!, ranges[i + 1]!];
			pooled += to - from;
			if (from >= 0 && from <= to && to <= rows) continue;
			throw indexError(
				'POOL_RANGE',
				`range ${i / 2 + 1} of ${ranges.length / 2} is [${from}, ${to}) of ${rows} rows`,
			);
		}
		if (pooled > 0) continue;
		throw indexError('POOL_RANGE', `function ${first / 2 / rangesPerFunction + 1} has no row to pool`);
	}
}

/** What `Segments` holds, on the host. */
export interface SegmentNumbers {
	readonly starts: ArrayLike<number>;
	readonly parents: ArrayLike<number> | undefined;
	readonly longest: number;
}

/**
 * Throws ATTENTION_SEGMENTS unless the boundaries ascend from 0 to the number of tokens, ATTENTION_PARENTS unless parents
 * are followed by their children (and attention causal), ATTENTION_LONGEST_SEGMENT where a segment with its parent is
 * longer than the longest is said to be: devices size their scratch memory by it.
 */
export function checkSegments(segments: SegmentNumbers, tokens: number, causal: boolean): void {
	const { starts, parents, longest } = segments;
	const last = starts[starts.length - 1];
	if (starts[0] !== 0 || last !== tokens) {
		throw indexError(
			'ATTENTION_SEGMENTS',
			`segments should go from 0 to ${tokens}, but go from ${starts[0]} to ${last}`,
		);
	}
	const count = starts.length - 1;
	if (parents !== undefined && parents.length !== count) {
		throw indexError('ATTENTION_PARENTS', `${count} segments have ${parents.length} parents`);
	}
	for (let s = 0; s < count; s++) {
		const length = starts[s + 1]! - starts[s]!;
		if (length < 0) {
			throw indexError('ATTENTION_SEGMENTS', `segment ${s} ends ${-length} tokens before it begins`);
		}
		const parent = parents?.[s] ?? -1;
		if (parents !== undefined && parent !== -1) checkParent(parents, s, causal);
		const seen = parent === -1 ? length : length + starts[parent + 1]! - starts[parent]!;
		if (seen > longest) {
			throw indexError(
				'ATTENTION_LONGEST_SEGMENT',
				`segment ${s} has ${seen} tokens with its parent, but the longest is said to have ${longest}`,
			);
		}
	}
}

/** Between a parent and its child are children of that parent alone: what belongs together is one stretch. */
function checkParent(parents: ArrayLike<number>, s: number, causal: boolean): void {
	const parent = parents[s]!;
	const isRoot = parent >= 0 && parent < s && parents[parent] === -1;
	if (causal && isRoot && (parent === s - 1 || parents[s - 1] === parent)) return;
	const what = causal ? `no parent before its children` : `a parent, but attention is not causal`;
	throw indexError('ATTENTION_PARENTS', `segment ${s} has segment ${parent} as parent, which is ${what}`);
}

function indexError(code: string, message: string): VulntuneError {
	return new VulntuneError({
		code,
		kind: 'runtime',
		message,
		remedy: 'This is a mistake in vulntune; please report it.',
	});
}
