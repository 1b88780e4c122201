import { expect, test } from 'vitest';
import { collapseWhitespace } from '../data/whitespace.ts';
import { type DemoRow, generateDemoDataset } from './dataset.ts';
import { weaknessIds } from './pair.ts';

const dataset = generateDemoDataset({ seed: 1, pairs: 400 });
const splits = [dataset.train, dataset.valid, dataset.test];
const all = splits.flat();

function commits(rows: readonly DemoRow[]): Set<string> {
	return new Set(rows.map((row) => row.commit));
}

test('the same seed gives the same rows, another seed others', () => {
	expect(generateDemoDataset({ seed: 1, pairs: 400 })).toEqual(dataset);
	expect(generateDemoDataset({ seed: 2, pairs: 400 }).train[0]!.code).not.toBe(dataset.train[0]!.code);
});

test('the splits have 60, 15 and 25 % of the pairs', () => {
	expect(splits.map((rows) => rows.length)).toEqual([480, 120, 200]);
});

test('each commit has one vulnerable and one fixed row, in one split', () => {
	for (const rows of splits) {
		for (const commit of commits(rows)) {
			const pair = rows.filter((row) => row.commit === commit);
			expect(pair.map((row) => row.status).sort()).toEqual(['FIXED', 'VULNERABLE']);
			expect(pair.every((row) => row.target === (row.status === 'VULNERABLE' ? 1 : 0))).toBe(true);
			expect(pair[0]!.function_name).toBe(pair[1]!.function_name);
			expect(pair[0]!.cwe).toBe(pair[1]!.cwe);
		}
	}
	expect(splits.reduce((sum, rows) => sum + commits(rows).size, 0)).toBe(commits(all).size);
});

test('no two rows have the same code, and no function name is in two pairs', () => {
	expect(new Set(all.map((row) => collapseWhitespace(row.code))).size).toBe(all.length);
	expect(new Set(all.map((row) => row.function_name)).size).toBe(all.length / 2);
	for (const row of all) expect(row.code).toContain(` ${row.function_name}(`);
});

test('every weakness is in every split', () => {
	expect(weaknessIds.length).toBeGreaterThanOrEqual(14);
	for (const rows of splits) {
		expect(new Set(rows.map((row) => row.cwe))).toEqual(new Set(weaknessIds));
	}
});

test('rows are numbered without gaps, marked as synthetic, and leave no template key unfilled', () => {
	expect(all.map((row) => row.idx).sort((a, b) => a - b)).toEqual(all.map((_, index) => index));
	for (const row of all) {
		expect(row.synthetic).toBe(true);
		expect(row.code).not.toMatch(/\{\w+\}|undefined/);
	}
});

test('brackets are balanced outside of strings', () => {
	for (const row of all) {
		const open: string[] = [];
		for (const sign of row.code.replace(/"(?:\\.|[^"\\])*"/g, '""')) {
			if ('([{'.includes(sign)) open.push(sign);
			if (')]}'.includes(sign)) expect(open.pop()).toBe('([{'[')]}'.indexOf(sign)]);
		}
		expect(open).toEqual([]);
	}
});

test('no function declares a name twice', () => {
	for (const row of all) {
		const declared = [...row.code.matchAll(/[\w\]>] (\w+)(?= = |[,)])/g)].map(([, name]) => name);
		expect(new Set(declared).size, row.code).toBe(declared.length);
	}
});

test.each([9, 5001, 20.5, Number.NaN])('%s pairs are refused', (pairs) => {
	expect(() => generateDemoDataset({ seed: 1, pairs })).toThrow(
		expect.objectContaining({ code: 'DEMO_PAIRS', kind: 'input' }),
	);
});
