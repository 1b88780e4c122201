import { expect, it } from 'vitest';
import { scoreSplit } from './score-split.ts';
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
		const run = score(({ functionIndex }) => (functionIndex === 2 ? bad : 0.5));
		await expect(run).rejects.toThrow(expect.objectContaining({ code: 'SCORE_NOT_FINITE', kind: 'runtime' }));
		await expect(run).rejects.toThrow(/the score of function f2 /);
	},
);
