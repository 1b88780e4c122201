import { collapseWhitespace } from '../data/whitespace.ts';
import { linesOf } from './token-lines.ts';

/**
 * Which lines of a function its fix removed or changed: those that are not part of the longest common run of lines of both. White
 * space within and around lines makes no difference, and blank lines are never among them.
 *
 * @returns [lines of `before`]
 */
export function changedLines(before: string, after: string): boolean[] {
	const [old, now] = [linesOf(before).map(collapseWhitespace), linesOf(after).map(collapseWhitespace)];
	const kept = commonLines(
		old.filter((line) => line !== ''),
		now.filter((line) => line !== ''),
	);
	let index = 0;
	return old.map((line) => line !== '' && !kept[index++]);
}

/** Of each line of `a` whether it is in a longest common subsequence with `b`. */
function commonLines(a: readonly string[], b: readonly string[]): boolean[] {
	const width = b.length + 1;
	const longest = new Uint32Array((a.length + 1) * width); // of the lines from i and from j on
	for (let i = a.length - 1; i >= 0; i--) {
		for (let j = b.length - 1; j >= 0; j--) {
			longest[i * width + j] =
				a[i] === b[j]
					? 1 + longest[(i + 1) * width + j + 1]!
					: Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
		}
	}
	const kept = a.map(() => false);
	for (let [i, j] = [0, 0]; i < a.length && j < b.length; ) {
		if (a[i] === b[j]) [kept[i], i, j] = [true, i + 1, j + 1];
		else if (longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!) i++;
		else j++;
	}
	return kept;
}
