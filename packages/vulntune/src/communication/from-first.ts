import type { Communicator } from './communicator.ts';

/** What the first process finds, in every process; the others don't look. */
export async function fromFirst<Found>(
	{ rank, gather }: Communicator,
	find: () => Found | Promise<Found>,
): Promise<Found> {
	const [found] = await gather(rank === 0 ? await find() : null);
	return found!;
}
