import { describe, expect, it } from 'vitest';
import { packEpoch } from './epoch.ts';
import type { PackingOptions } from './options.ts';
import { packFunctions } from './pack-functions.ts';

const lengths = Array.from({ length: 50 }, (_, index) => (index * 7) % 23);
const options: PackingOptions = {
	length: 32,
	packing: 'isolated',
	order: 'bestFit',
	maxFunctions: 200,
	largeFunctions: 'ignore',
};

describe('an epoch', () => {
	it.each(['bestFit', 'arrival'] as const)('depends on seed and epoch alone (%s)', (order) => {
		const epoch = (seed: number, number: number) =>
			packEpoch(lengths, { ...options, order }, seed, number).packs;
		expect(epoch(1, 2)).toEqual(epoch(1, 2));
		expect(epoch(1, 2)).not.toEqual(epoch(1, 3));
		expect(epoch(1, 2)).not.toEqual(epoch(2, 2));
	});

	/** Packs whatever their order. */
	const key = (list: readonly unknown[]) => list.map((pack) => JSON.stringify(pack)).toSorted();

	it('packs functions with others in every epoch as they arrive, unless each stands alone', () => {
		const arrival = { ...options, order: 'arrival' } as const;
		const packs = [0, 1].map((epoch) => key(packEpoch(lengths, arrival, 1, epoch).packs));
		expect(packs[0]).not.toEqual(packs[1]);
		const alone = { ...options, packing: 'none' } as const;
		expect(packEpoch(lengths, { ...alone, order: 'arrival' }, 1, 0)).toEqual(packEpoch(lengths, alone, 1, 0));
	});

	it('only reorders the packs of bestFit and of no packing', () => {
		for (const packing of ['isolated', 'none'] as const) {
			expect(key(packEpoch(lengths, { ...options, packing }, 1, 0).packs)).toEqual(
				key(packFunctions(lengths, { ...options, packing }).packs),
			);
		}
	});
});
