/** Joins items into groups: two that were joined with the same third are in one group. */
export interface Grouping {
	join(a: number, b: number): void;
	/** [items] the group of each, numbered by its first item. */
	groups(): Int32Array;
}

/** Every item a group of its own until it is joined (union-find with path halving). */
export function createGrouping(items: number): Grouping {
	const parent = Int32Array.from({ length: items }, (_, item) => item); // [items]
	const rootOf = (item: number) => {
		while (parent[item] !== item) {
			parent[item] = parent[parent[item]!]!;
			item = parent[item]!;
		}
		return item;
	};
	return {
		join(a, b) {
			const [x, y] = [rootOf(a), rootOf(b)];
			// the smaller number stays, so that groups don't depend on the order of joins
			parent[Math.max(x, y)] = Math.min(x, y);
		},
		groups() {
			const numbers = new Map<number, number>();
			return Int32Array.from(parent, (_, item) => {
				const root = rootOf(item);
				if (!numbers.has(root)) numbers.set(root, numbers.size);
				return numbers.get(root)!;
			});
		},
	};
}
