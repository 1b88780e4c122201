import { expect, it } from 'vitest';
import type { FunctionRow } from '../data/row.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { assemblePack, assemblePacks, splitData } from './split-data.ts';

const row = (id: number, label: 0 | 1, commit: string): FunctionRow => ({
	...{ id, code: '', label, commit, functionName: 'f' },
});
const rows = [row(0, 1, 'a'), row(1, 0, 'b'), row(2, 0, 'a'), row(3, 1, 'b'), row(4, 1, 'c')];
const tokens = rows.map(() => Int32Array.of(1, 2));
const weights = { alpha: null, classWeights: null, statusWeights: null };
const packing = {
	length: 6,
	packing: 'isolated',
	order: 'arrival',
	maxFunctions: 3,
	largeFunctions: 'ignore',
} as const;

it('tells a function its partner where both lie in one pack, and no other', () => {
	const data = splitData(rows, tokens, { ...weights, pair: 'rank', pairWeight: 2 });
	expect(data.pairs!.rows).toEqual([
		[0, 2],
		[3, 1],
	]);
	const partners = (together: readonly (readonly [number, number])[] | undefined) =>
		packFunctions(data.lengths, packing, { together }).packs.map((pieces) => {
			const { pack, targets } = assemblePack(data, pieces, 'isolated', {
				leading: [],
				separator: 0,
				suffix: [],
			});
			return [...targets.pairs!.partners].map((place) => pack.functionIndex[place]!);
		});
	expect(partners(data.pairs!.rows)).toEqual([[2, 0], [3, 1], [4]]);
	expect(partners(undefined)).toEqual([[0, 1], [2, 3], [4]]);
	const all = packFunctions(data.lengths, packing).packs.flat();
	const around = { leading: [], separator: 0, suffix: [] };
	const { pack, targets } = assemblePack(data, all, 'isolated', around);
	const partnerOf = new Map(
		[...targets.pairs!.partners].map((place, own) => [pack.functionIndex[own]!, pack.functionIndex[place]!]),
	);
	expect([...partnerOf].toSorted(([a], [b]) => a - b)).toEqual([
		[0, 2],
		[1, 3],
		[2, 0],
		[3, 1],
		[4, 4],
	]);
});

it('knows the partners of joined packs where each had them alone', () => {
	const data = splitData(rows, tokens, { ...weights, pair: 'rank', pairWeight: 2 });
	const { packs } = packFunctions(data.lengths, packing, { together: data.pairs!.rows });
	const around = { leading: [], separator: 0, suffix: [] };
	const { pack, targets } = assemblePacks(data, packs, 'isolated', around);
	expect([...pack.functionIndex]).toEqual([0, 2, 1, 3, 4]);
	expect([...targets.labels]).toEqual([1, 0, 0, 1, 1]);
	expect(targets.pairs).toEqual({ kind: 'rank', weight: 2, partners: Int32Array.of(1, 0, 3, 2, 4) });
	// a pair that no pack holds whole is none in the pass either
	const apart = packFunctions(data.lengths, packing).packs;
	expect(assemblePacks(data, apart, 'isolated', around).targets.pairs!.partners).toEqual(
		Int32Array.of(0, 1, 2, 3, 4),
	);
});

it('has no pairs where none are learnt from', () => {
	const data = splitData(rows, tokens, { ...weights, pair: null, pairWeight: 1 });
	const [pieces] = packFunctions(data.lengths, packing).packs;
	const around = { leading: [], separator: 0, suffix: [] };
	const { targets } = assemblePack(data, pieces!, 'isolated', around);
	expect(targets.pairs).toBeUndefined();
	const weighted = splitData(rows, tokens, { ...weights, classWeights: [1, 3], pair: null });
	const joined = assemblePacks(weighted, packFunctions(data.lengths, packing).packs, 'isolated', around);
	expect(joined.targets.pairs).toBeUndefined();
	expect([...joined.targets.weights]).toEqual(
		[...joined.targets.labels].map((label) => (label === 1 ? 3 : 1)),
	);
});
