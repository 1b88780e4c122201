/**
 * How the scores of a function's windows become the function's score. `mean` is the default: windows are trained each on the
 * label of their function, so their mean keeps that scale, while the largest of many grows with their number and would
 * rank long functions first. `max` reads a function as vulnerable as its worst window.
 */
export type WindowCombination = 'mean' | 'max';

/**
 * One score per function.
 *
 * @param scores per piece, in any order, [pieces]
 * @param functionIndex which function each piece belongs to, [pieces]
 * @param functions how many functions there are
 * @returns [functions]; NaN for a function without a piece (an ignored one)
 */
export function combineWindows(
	scores: ArrayLike<number>,
	functionIndex: ArrayLike<number>,
	functions: number,
	combination: WindowCombination,
): Float64Array {
	const parts: number[][] = Array.from({ length: functions }, () => []);
	for (let piece = 0; piece < scores.length; piece++) {
		parts[functionIndex[piece]!]!.push(scores[piece]!);
	}
	return Float64Array.from(parts, (values) => {
		if (values.length === 0) return Number.NaN;
		if (combination === 'max') return Math.max(...values);
		// Sorted, so that the sum does not depend on which pack came first.
		return values.sort((a, b) => a - b).reduce((sum, value) => sum + value, 0) / values.length;
	});
}
