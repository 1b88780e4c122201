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

/** Throws POOL_RANGE unless every range [from, to) holds at least one of the rows. */
export function checkRanges(ranges: ArrayLike<number>, rows: number): void {
	for (let i = 0; i + 1 < ranges.length; i += 2) {
		const [from, to] = [ranges[i]!, ranges[i + 1]!];
		if (from >= 0 && from < to && to <= rows) continue;
		throw indexError(
			'POOL_RANGE',
			`range ${i / 2 + 1} of ${ranges.length / 2} is [${from}, ${to}) of ${rows} rows`,
		);
	}
}

/**
 * Throws ATTENTION_SEGMENTS unless the boundaries ascend from 0 to the number of tokens, ATTENTION_LONGEST_SEGMENT where
 * a segment is longer than the longest is said to be: devices size their scratch memory by it.
 */
export function checkSegments(starts: ArrayLike<number>, tokens: number, longestSegment: number): void {
	const last = starts[starts.length - 1];
	if (starts[0] !== 0 || last !== tokens) {
		throw indexError(
			'ATTENTION_SEGMENTS',
			`segments should go from 0 to ${tokens}, but go from ${starts[0]} to ${last}`,
		);
	}
	for (let s = 0; s + 1 < starts.length; s++) {
		const length = starts[s + 1]! - starts[s]!;
		if (length < 0) {
			throw indexError('ATTENTION_SEGMENTS', `segment ${s} ends ${-length} tokens before it begins`);
		}
		if (length > longestSegment) {
			throw indexError(
				'ATTENTION_LONGEST_SEGMENT',
				`segment ${s} has ${length} tokens, but longestSegment is ${longestSegment}`,
			);
		}
	}
}

function indexError(code: string, message: string): VulntuneError {
	return new VulntuneError({
		code,
		kind: 'runtime',
		message,
		remedy: 'This is a mistake in vulntune; please report it.',
	});
}
