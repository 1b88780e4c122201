/** Something that can be measured again and again, giving one number a time. */
export interface Measured {
	readonly name: string;
	measure(): number | Promise<number>;
}

/**
 * Measures all in turn, `rounds` times over, so that what slows the machine down for a while slows all of them down;
 * returns the median of each by its name; what
 * stands in the list several times is measured as often in a round.
 */
export async function interleave(
	cases: readonly Measured[],
	rounds: number,
	progress: (round: number) => void = () => {},
): Promise<ReadonlyMap<string, number>> {
	const values = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
	for (let round = 1; round <= rounds; round++) {
		progress(round);
		for (const { name, measure } of cases) values.get(name)!.push(await measure());
	}
	return new Map([...values].map(([name, list]) => [name, median(list)]));
}

/** Of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length / 2;
	const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
	if (low === undefined || high === undefined) throw new RangeError('there is no median of nothing');
	return (low + high) / 2;
}
