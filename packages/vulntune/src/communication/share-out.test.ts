import { createReferenceBackend } from '@vulntune/engine';
import { expect, it, onTestFinished } from 'vitest';
import { alone } from './communicator.ts';
import { shareOut } from './share-out.ts';
import { together } from './testing/together.ts';

function processes(size: number) {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	return together(size).map((of) => of(backend));
}

it('computes each item once and gives all results to all, in their order', async () => {
	const computed: number[] = [];
	const square = (index: number) => {
		computed.push(index);
		return index === 3 ? Number.NaN : index ** 2;
	};
	const all = await Promise.all(processes(3).map((communicator) => shareOut(communicator, 7, square)));
	for (const results of all) expect(results).toEqual([0, 1, 4, Number.NaN, 16, 25, 36]);
	expect(computed.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

it('stops in all processes where one is stopped', async () => {
	const all = await Promise.all(
		processes(2).map((communicator) => {
			let asked = 0;
			return shareOut(communicator, 9, (index) => index, {
				stop: () => ++asked === 2 && communicator.rank === 1,
			});
		}),
	);
	expect(all).toEqual([undefined, undefined]);
});

it('tells how many are done', async () => {
	const done: number[] = [];
	await shareOut(alone, 2, () => 0, { progress: (count) => done.push(count) });
	await Promise.all(
		processes(2).map((communicator) =>
			shareOut(communicator, 3, () => 0, {
				progress: (count) => communicator.rank === 0 && done.push(count),
			}),
		),
	);
	expect(done).toEqual([1, 2, 2, 3]);
});
