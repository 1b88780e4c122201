import { expect, it } from 'vitest';
import { FASTEST_PACK, scoreFunctions, scoreSplit, scoringPacking } from './score-split.ts';
import { functionsOf, type Script, scriptedDetector, scriptedScoring } from './testing/scripted-detector.ts';

const data = functionsOf([4, 15, 3], [0, 1, 1]);

function score(script: Script, windowCombination: 'mean' | 'max' = 'mean') {
	const { detector, objective } = scriptedDetector(script);
	return scoreSplit(
		detector,
		data,
		scriptedScoring(objective, { largeFunctions: 'window' }, windowCombination),
	);
}

it('gives a function of several windows their mean or their largest score', async () => {
	const script: Script = ({ functionIndex, windowIndex }) =>
		functionIndex === 1 ? [0.25, 0.75, 0.5][windowIndex]! : 0.125;
	const windows = new Set<number>();
	const mean = (await score((piece) => {
		if (piece.functionIndex === 1) windows.add(piece.windowIndex);
		return script(piece);
	}))!;
	expect(windows.size).toBe(3);
	expect(Array.from(mean.probabilities)).toEqual([0.125, 0.5, 0.125]);
	expect(Array.from((await score(script, 'max'))!.probabilities)).toEqual([0.125, 0.75, 0.125]);
});

it('gives the mean loss of all windows, not of the functions', async () => {
	expect((await score(() => 0.5))!.loss).toBeCloseTo(Math.LN2, 6);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])(
	'stops at a score of %s, which no metric is made of',
	async (bad) => {
		const run = score(({ functionIndex }) => (functionIndex === 0 ? bad : 0.5));
		await expect(run).rejects.toThrow(expect.objectContaining({ code: 'SCORE_NOT_FINITE', kind: 'runtime' }));
		await expect(run).rejects.toThrow(/the score of function f0 /);
	},
);

it('tells how far it is, ends where it is to, and has no loss where labels are not known', async () => {
	const { detector, objective } = scriptedDetector();
	const options = scriptedScoring(objective, { packing: 'none' });
	const told: (readonly [number, number])[] = [];
	const progress = (done: number, total: number) => void told.push([done, total]);
	const scores = (await scoreFunctions(detector, data, { ...options, progress }))!;
	expect(told).toEqual([
		[1, 3],
		[2, 3],
		[3, 3],
	]);
	expect(scores.loss).toBeNaN();
	expect(await scoreSplit(detector, data, { ...options, stop: () => true })).toBeUndefined();
});

it('packs functions to be scored so that each is seen whole and by itself, however training packs them', () => {
	const { packing, tokens } = scriptedScoring(scriptedDetector().objective);
	const of = (changes: Partial<typeof packing>) => scoringPacking({ ...packing, ...changes }, tokens);
	expect(of({ packing: 'leaky', largeFunctions: 'ignore', order: 'arrival' })).toMatchObject({
		...{ packing: 'isolated', largeFunctions: 'truncate', order: 'bestFit' },
		...{ length: packing.length, packLength: FASTEST_PACK, sharePrefixes: true },
	});
	expect(of({ packing: 'none', largeFunctions: 'window', length: 4096 })).toMatchObject({
		...{ packing: 'none', largeFunctions: 'window', packLength: 4096 },
	});
	// answers of several tokens lie behind each function
	const several = scoringPacking(packing, { ...tokens, branches: [[], [5, 6]] });
	expect(several.sharePrefixes).toBe(false);
	expect(scoringPacking(packing, { ...tokens, branches: [[], []] }).sharePrefixes).toBe(true);
});
