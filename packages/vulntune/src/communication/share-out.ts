import type { Communicator } from './communicator.ts';

export interface ShareOutOptions {
	/** Asked before every item; where it is true in any process, all of them stop. */
	readonly stop?: (() => boolean) | undefined;
	/** Called when so many items are done by all. */
	readonly progress?: ((done: number) => void) | undefined;
}

/**
 * Computes something for each of `count` items, one item of every `size` in each process, in rounds: the first item of a round in the
 * first process, and so on. Every process gets all results in the order of the items; none of them where it was stopped.
 */
export async function shareOut<Result>(
	communicator: Communicator,
	count: number,
	compute: (index: number) => Result,
	{ stop, progress }: ShareOutOptions = {},
): Promise<readonly Result[] | undefined> {
	const { rank, size } = communicator;
	const results: Result[] = [];
	for (let first = 0; first < count; first += size) {
		const index = first + rank;
		const isStopped = stop?.() === true;
		const own = isStopped || index >= count ? [] : [compute(index)];
		const round = await communicator.gather({ isStopped, own });
		if (round.some((said) => said.isStopped)) return undefined;
		results.push(...round.flatMap((said) => said.own));
		progress?.(results.length);
	}
	return results;
}
