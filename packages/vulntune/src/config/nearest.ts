/** Damerau-Levenshtein distance (insert, delete, replace, swap neighbours), letter case aside. */
export function editDistance(left: string, right: string): number {
	const a = left.toLowerCase();
	const b = right.toLowerCase();
	let beforePrevious: number[] = [];
	let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (let i = 1; i <= a.length; i++) {
		const current = [i];
		for (let j = 1; j <= b.length; j++) {
			const cost = a[i - 1] === b[j - 1] ? 0 : 1;
			let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + cost);
			const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
			if (isSwap) best = Math.min(best, beforePrevious[j - 2]! + 1);
			current.push(best);
		}
		beforePrevious = previous;
		previous = current;
	}
	return previous[b.length]!;
}

/** The candidate closest to a misspelt name; undefined where none is close enough to have been meant. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
	let nearest: string | undefined;
	let least = Math.max(2, Math.floor(name.length / 3)) + 1;
	for (const candidate of candidates) {
		const distance = editDistance(name.slice(0, 100), candidate);
		if (distance < least && distance < candidate.length) {
			nearest = candidate;
			least = distance;
		}
	}
	return nearest;
}
