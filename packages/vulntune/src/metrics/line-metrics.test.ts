import { describe, expect, it } from 'vitest';
import { groupRows, ungroupedRows } from './bootstrap.ts';
import { lineMetrics, type RankedFunction } from './line-metrics.ts';

const settings = (functions: readonly RankedFunction[]) => ({
	groups: ungroupedRows(functions.length),
	seed: 1,
	resamples: 200,
});

function measured(functions: readonly RankedFunction[]) {
	const metrics = lineMetrics(functions, settings(functions));
	return Object.fromEntries(
		Object.entries(metrics).map(([name, metric]) => [name, metric.value ?? metric.reason]),
	);
}

/** A function of so many lines, of which these (from 0) are flawed; lines score what `score` says, else from the top down. */
function ranked(
	lines: number,
	flawed: readonly number[],
	{ isPositive = true, score = (line: number) => -line } = {},
): RankedFunction {
	const all = Array.from({ length: lines }, (_, line) => line);
	return { isPositive, scores: all.map(score), flawed: all.map((line) => flawed.includes(line)) };
}

describe('line metrics', () => {
	it('count what is read before the first flawed line of each function', () => {
		// clean lines before: 0, 9, 10, and a function without flaws counts for neither
		const functions = [ranked(20, [0, 5]), ranked(20, [9]), ranked(20, [10, 11]), ranked(20, [])];
		expect(measured(functions)).toMatchObject({ top10: 2 / 3, ifa: 19 / 3 });
	});

	it('read lines by their scores and equal ones in their order', () => {
		const byScore = { score: (line: number) => (line === 7 ? 1 : 0) };
		expect(measured([ranked(30, [7], byScore)])).toMatchObject({ top10: 1, ifa: 0 });
		expect(measured([ranked(30, [15], byScore)])).toMatchObject({ top10: 0, ifa: 15 });
		expect(measured([ranked(30, [3], byScore)])).toMatchObject({ ifa: 4 });
	});

	it('read functions that are predicted vulnerable first, and their lines across functions', () => {
		// 200 lines, 5 flaws: one flaw is 20 %, two lines are the first hundredth
		const missed = ranked(100, [0, 1, 2], { isPositive: false, score: () => 1000 });
		const found = ranked(50, [3], { score: (line) => -line });
		const other = ranked(50, [0], { score: (line) => -line - 0.5 });
		// read: found 0, other 0 (flawed), found 1, …
		expect(measured([missed, found, other])).toMatchObject({ effort20Recall: 2 / 200, recall1Loc: 1 / 5 });
		const late = ranked(50, [], { score: (line) => -line - 0.5 });
		// 4 flaws: found's is a quarter, at its fourth line, the seventh of both
		expect(measured([missed, found, late])).toMatchObject({ effort20Recall: 7 / 200, recall1Loc: 0 });
	});

	it('find a fifth of the flaws in whole lines', () => {
		// 6 flaws: a fifth is 1.2, so two are needed
		expect(measured([ranked(300, [0, 10, 20, 30, 40, 50])])).toMatchObject({
			effort20Recall: 11 / 300,
			recall1Loc: 1 / 6,
		});
		// 10 flaws: two, not three for 0.2 × 10 in floating point
		expect(measured([ranked(100, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])])).toMatchObject({
			effort20Recall: 2 / 100,
			recall1Loc: 1 / 10,
		});
	});

	it('are undefined, with the reason, without flawed lines, and where a hundredth is no line', () => {
		const noFlaws = 'no function has a flawed line';
		expect(measured([ranked(200, [])])).toEqual({
			top10: noFlaws,
			ifa: noFlaws,
			effort20Recall: noFlaws,
			recall1Loc: noFlaws,
		});
		expect(measured([ranked(99, [0])])).toEqual({
			top10: 1,
			ifa: 0,
			effort20Recall: 1 / 99,
			recall1Loc: 'there are fewer than a hundred lines',
		});
	});

	it('say why there is none of a hundredth where only some functions have flawed lines', () => {
		const { recall1Loc } = measured([ranked(30, []), ranked(30, [0])]);
		expect(recall1Loc).toBe('there are fewer than a hundred lines');
	});

	it('are resampled as often as is asked for', () => {
		const functions = [ranked(60, [0]), ranked(60, [20])];
		const { ifa } = lineMetrics(functions, { ...settings(functions), resamples: 1 });
		expect(ifa).toMatchObject({ value: 10, low: (ifa as { high: number }).high });
	});

	it('have intervals over groups of functions, and none of one group', () => {
		const functions = [ranked(60, [0]), ranked(60, [20]), ranked(60, [1]), ranked(60, [40])];
		const { top10, effort20Recall } = lineMetrics(functions, settings(functions));
		expect(top10).toEqual({ value: 0.5, low: 0, high: 1 });
		expect(effort20Recall).toMatchObject({ low: expect.any(Number), high: expect.any(Number) });
		const one = lineMetrics(functions, { ...settings(functions), groups: groupRows(['a', 'a', 'a', 'a']) });
		expect(one.ifa).toMatchObject({ low: null, high: null, reason: expect.stringContaining('two groups') });
	});

	it('count a function that was drawn twice twice', () => {
		// both resamples of two equal groups of one function are the same as the whole
		const functions = [ranked(100, [30]), ranked(100, [30])];
		const { effort20Recall, recall1Loc, ifa } = lineMetrics(functions, settings(functions));
		const sure = (value: number) => ({ value, low: value, high: value });
		expect(effort20Recall).toEqual(sure(61 / 200));
		expect(recall1Loc).toEqual(sure(0));
		expect(ifa).toEqual(sure(30));
	});
});
