import { inputError } from '@vulntune/engine';
import { expect, it } from 'vitest';
import type { Processes } from './communicator.ts';
import { type Channel, runTogether } from './together.ts';

/** Channels of processes that are parts of this one; how many were closed is told in `closed`. */
function channels(size: number) {
	let waiting: { bytes: Uint8Array; done: (all: Uint8Array[]) => void }[] = [];
	const closed: number[] = [];
	const made = Array.from(
		{ length: size },
		(_, rank): Channel => ({
			rank,
			size,
			localRank: undefined,
			gatherBytes: (bytes) =>
				new Promise((done) => {
					waiting[rank] = { bytes, done };
					if (waiting.filter((one) => one !== undefined).length < size) return;
					const all = waiting;
					waiting = [];
					for (const one of all) one.done(all.map((other) => other.bytes));
				}),
			withVectors: () => expect.unreachable('no vectors here'),
			close: async () => void closed.push(rank),
		}),
	);
	return { made, closed };
}

/** What each process of such a run comes to. */
async function run(work: (processes: Processes) => Promise<unknown>) {
	const { made, closed } = channels(3);
	const outcomes = await Promise.allSettled(made.map((channel) => runTogether(channel, work)));
	return { outcomes, closed: closed.toSorted() };
}

const followed = { status: 'fulfilled', value: { status: 'followed' } };

it('has the outcome in the first process, what all said in all of them', async () => {
	const { outcomes, closed } = await run(async ({ rank, gather }) => gather(rank * 10));
	expect(outcomes).toEqual([{ status: 'fulfilled', value: [0, 10, 20] }, followed, followed]);
	expect(closed).toEqual([0, 1, 2]);
});

it.each([
	['before the others say anything', 0],
	['while the others wait', 2],
])('ends all with the error of one that fails %s, told by the first', async (_, round) => {
	const { outcomes, closed } = await run(async ({ rank, gather }) => {
		for (let i = 0; i < 5; i++) {
			if (rank === 2 && i === round)
				throw inputError('SOME_FAULT', 'it is so', { place: 'there', remedy: 'Mend.' });
			await gather(i);
		}
	});
	expect(outcomes).toEqual([
		{
			status: 'rejected',
			reason: expect.objectContaining({
				code: 'SOME_FAULT',
				kind: 'input',
				summary: 'process 2: it is so',
				place: 'there',
				remedy: 'Mend.',
			}),
		},
		followed,
		followed,
	]);
	expect(closed).toEqual([0, 1, 2]);
});

it('hears of the first where that fails at what it alone does in the end', async () => {
	const { outcomes } = await run(async ({ rank }) => {
		if (rank === 0) throw new Error('the disk is full');
	});
	expect(outcomes).toEqual([
		{ status: 'rejected', reason: expect.objectContaining({ message: 'the disk is full' }) },
		followed,
		followed,
	]);
});

it('fails in every process where the others can no longer be reached', async () => {
	const { made } = channels(2);
	const lost = made.map((channel) => ({
		...channel,
		gatherBytes: () => Promise.reject(new Error('connection lost')),
	}));
	const outcomes = await Promise.allSettled(
		lost.map((channel) => runTogether(channel, ({ gather }) => gather(1))),
	);
	for (const outcome of outcomes) {
		expect(outcome).toEqual({
			status: 'rejected',
			reason: expect.objectContaining({ message: 'connection lost' }),
		});
	}
});
