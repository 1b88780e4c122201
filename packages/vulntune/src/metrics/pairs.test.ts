import { expect, it } from 'vitest';
import { pairCounts } from './pairs.ts';

const before = [0.9, 0.9, 0.2, 0.2, 0.5];
const after = [0.1, 0.8, 0.1, 0.9, 0.5];

it('counts what becomes of a function and its fix at a threshold, and which of them scores higher', () => {
	const common = { correct: 1, reversed: 1, rankedRight: 3.5, pairs: 5 };
	expect(pairCounts(before, after, 0.5)).toEqual({ ...common, bothVulnerable: 2, bothBenign: 1 });
	expect(pairCounts(before, after, 0.5, { rule: 'strict' })).toEqual({
		...common,
		bothVulnerable: 1,
		bothBenign: 2,
	});
});

it('counts each pair by its weight', () => {
	const weighted = { correct: 2, bothVulnerable: 1, bothBenign: 1, reversed: 3, rankedRight: 3.5, pairs: 7 };
	expect(pairCounts(before, after, 0.5, { weights: [2, 0, 1, 3, 1] })).toEqual(weighted);
});

it('takes a threshold of each pair, where they were scored by several detectors', () => {
	const each = pairCounts(before, after, [0.5, 0.85, 0.15, 0.05, 0.6]);
	expect(each).toMatchObject({ correct: 3, bothVulnerable: 1, bothBenign: 1, reversed: 0 });
});
