import { hashStream, permutation } from '@vulntune/engine/random/streams.ts';

const stream = hashStream('audit/assign-groups');

/**
 * Deals groups of rows to parts, so that each part has about its share of the rows of either class: the largest groups first, equal
 * ones in an order drawn from the seed, each to the part where the squared distance of all parts from their shares becomes least.
 *
 * @param groupOf [rows] group of each row, from 0
 * @param labels [rows] 0 or 1
 * @param shares [parts] which share of the rows each is to get, 1 together
 * @returns [rows] the part of each row
 */
export function assignGroups(
	groupOf: Int32Array,
	labels: readonly (0 | 1)[],
	shares: readonly number[],
	seed: number,
): Int32Array {
	const groups = groupOf.reduce((most, group) => Math.max(most, group + 1), 0);
	const counts = new Float64Array(2 * groups); // [groups, 2]
	for (const [row, group] of groupOf.entries()) counts[2 * group + labels[row]!]! += 1;
	const totals = [0, 1].map((label) => labels.filter((own) => own === label).length);
	const sizeOf = (group: number) => counts[2 * group]! + counts[2 * group + 1]!;
	const order = Array.from(permutation(seed, stream, groups)).sort((a, b) => sizeOf(b) - sizeOf(a));
	const held = shares.map(() => [0, 0] as [number, number]); // [parts, 2]
	const partOf = new Int32Array(groups); // [groups]
	for (const group of order) {
		let best = 0;
		let least = Number.POSITIVE_INFINITY;
		for (const [part, share] of shares.entries()) {
			const growth = [0, 1].reduce((sum, label) => {
				const wanted = share * totals[label]!;
				if (wanted === 0) return sum + (totals[label] === 0 ? 0 : Number.POSITIVE_INFINITY);
				const before = held[part]![label]! - wanted;
				const added = counts[2 * group + label]!;
				// in shares of the class, so that the rarer one counts as much; smaller parts are filled as soon as larger ones
				return sum + ((before + added) ** 2 - before ** 2) / (wanted * totals[label]!);
			}, 0);
			if (growth < least) {
				least = growth;
				best = part;
			}
		}
		partOf[group] = best;
		for (const label of [0, 1] as const) held[best]![label] += counts[2 * group + label]!;
	}
	return groupOf.map((group) => partOf[group]!);
}
