import { inputError } from '@vulntune/engine/errors.ts';

/**
 * Deals groups of rows by time: the oldest to the first part, the newest to the last, each part with about its share of the dated rows. A
 * group is as old as its newest row, and groups of one moment are not parted. Rows of a group without any date are in no part: nothing says that they are older
 * than what is tested on.
 *
 * Throws SPLIT_NO_DATE where no row has one.
 *
 * @param groupOf [rows]
 * @param dates [rows] milliseconds; NaN or undefined where it is not known
 * @param shares [parts]
 * @returns [rows] part of each row, −1 for none
 */
export function splitByTime(
	groupOf: Int32Array,
	dates: readonly (number | undefined)[],
	shares: readonly number[],
	place: string,
): Int32Array {
	const newest = new Map<number, number>();
	for (const [row, group] of groupOf.entries()) {
		const date = dates[row];
		if (date === undefined || Number.isNaN(date)) continue;
		newest.set(group, Math.max(newest.get(group) ?? date, date));
	}
	if (newest.size === 0) {
		throw inputError('SPLIT_NO_DATE', 'no row has a date that can be read, such as 2016-01-31', {
			place,
			remedy: 'Give the rows a date, or name with --projects a file that has the dates of their commits.',
		});
	}
	const dated = [...groupOf.keys()].filter((row) => newest.has(groupOf[row]!));
	const timeOf = (row: number) => newest.get(groupOf[row]!)!;
	dated.sort((a, b) => timeOf(a) - timeOf(b) || a - b);
	const parts = new Int32Array(groupOf.length).fill(-1); // [rows]
	let part = 0;
	let limit = shares[0]! * dated.length;
	for (let start = 0; start < dated.length; ) {
		let end = start + 1;
		while (end < dated.length && timeOf(dated[end]!) === timeOf(dated[start]!)) end++;
		// the part whose share the middle of these rows falls into
		while (part < shares.length - 1 && (start + end) / 2 > limit + 1e-9)
			limit += shares[++part]! * dated.length;
		for (const row of dated.slice(start, end)) parts[row] = part;
		start = end;
	}
	return parts;
}
