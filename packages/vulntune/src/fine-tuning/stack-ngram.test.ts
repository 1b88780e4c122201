import '../../../../tests/properties.ts';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig } from '../../../../tests/tiny.ts';
import { distinctCode, row } from '../audit/testing/rows.ts';
import { fitNgram, ngramLogOdds } from '../baselines/ngram/model.ts';
import type { FunctionRow } from '../data/row.ts';
import type { PreparedData } from '../scoring/prepare-data.ts';
import { describeRefit, describeStackFolds, stackFolds, stackOnNgram } from './stack-ngram.ts';

const root = temporaryFolder();
const projects = path.join(root, 'projects.json');
writeFileSync(projects, JSON.stringify({ c0: 'a/x', c1: 'a/x', c2: 'b/y' }));
const config = tinyConfig(
	{ model: root, data: root, output: root },
	{ 'method.type': 'head', 'method.stack': 'ngram', 'data.projects': projects },
);

/** What two rows must not be parted for. */
const ties = ({ repo, commit, code }: FunctionRow) => {
	const project = repo ?? { c0: 'a/x', c1: 'a/x', c2: 'b/y' }[commit ?? ''];
	return [
		`code ${code}`,
		...(commit === undefined ? [] : [commit]),
		...(project === undefined ? [] : [project]),
	];
};

it('parts no project, commit or copy: n-grams that score a training row have seen none of its own', () => {
	const drawn = fc.array(
		fc.record({
			text: fc.integer({ min: 0, max: 40 }),
			repo: fc.option(fc.constantFrom('a/x', 'c/z'), { nil: undefined }),
			commit: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
		}),
		{ minLength: 12, maxLength: 24 },
	);
	fc.assert(
		fc.property(drawn, (fields) => {
			const drawnRows = fields.map(({ text, repo, commit }, id) =>
				row(id, {
					code: distinctCode(text),
					...(repo === undefined ? {} : { repo }),
					...(commit === undefined ? {} : { commit: `c${commit}` }),
				}),
			);
			// rows that nothing ties to others, so that every fold leaves both classes
			const alone = Array.from({ length: 10 }, (_, i) => row(1000 + i));
			const rows = [...drawnRows, ...alone];
			const { foldOf } = stackFolds(config, rows);
			expect(new Set(foldOf).size).toBeGreaterThan(2);
			const foldsOf = Map.groupBy(
				rows.flatMap((own, i) => ties(own).map((tie) => [tie, foldOf[i]!] as const)),
				([tie]) => tie,
			);
			for (const [tie, held] of foldsOf) expect(new Set(held.map(([, fold]) => fold)).size, tie).toBe(1);
		}),
		{ numRuns: 15 },
	);
});

it('is dealt by the seed, and refused where rows that belong together are all that there is of a class', () => {
	const rows = Array.from({ length: 30 }, (_, i) => row(i, { commit: `x${i >> 1}` }));
	const other = { ...config, training: { ...config.training, seed: 2 } };
	expect(stackFolds(config, rows)).not.toEqual(stackFolds(other, rows));
	expect(new Set(stackFolds(config, rows).foldOf)).toEqual(new Set([0, 1, 2, 3, 4]));
	const joined = rows.map((own) => ({
		...own,
		...(own.label === 1 ? { repo: 'one/project' } : { commit: `y${own.id}` }),
	}));
	expect(() => stackFolds(config, joined)).toThrow(
		expect.objectContaining({
			code: 'STACK_FOLDS',
			kind: 'input',
			summary: expect.stringMatching(/without the \d+ training functions of a fold/),
		}),
	);
});

it('takes near-duplicates to be what the config takes them to be', () => {
	const rows = Array.from({ length: 40 }, (_, i) => {
		const words = Array.from({ length: 40 }, (__, word) => `w${i >> 1}_${word}`);
		// 32 sequences of five words of 37 are those of the other one
		return row(i, { code: i % 2 === 0 ? words.join(' ') : [...words.slice(0, 36), `x${i}`].join(' ') });
	});
	const parted = (stackSimilarity: number) => {
		const { foldOf } = stackFolds({ ...config, method: { ...config.method, stackSimilarity } }, rows);
		return rows.filter((_, i) => i % 2 === 1 && foldOf[i] !== foldOf[i - 1]).length;
	};
	expect(parted(0.8)).toBe(0);
	expect(parted(0.9)).toBeGreaterThan(0);
});

it('says what is held out together, and of how many rows no project is known', () => {
	const own = (fields: (i: number) => Partial<FunctionRow>) =>
		describeStackFolds(
			stackFolds(
				config,
				Array.from({ length: 30 }, (_, i) => row(i, fields(i))),
			),
		);
	expect(own((i) => ({ repo: `a/${i >> 1}` }))).toMatch(
		/^the head sees n-grams of 30 .* 5 folds, each by n-grams without its projects and near-duplicates$/,
	);
	expect(own((i) => (i < 4 ? {} : { repo: `a/${i}` }))).toMatch(
		/without its projects and near-duplicates; the project of 4 functions is not known, nor a commit: /,
	);
	expect(own((i) => ({ commit: `d${i >> 1}` }))).toMatch(
		/without its commits and near-duplicates; the project of 30 functions is not known: they stay with their commit$/,
	);
	expect(own(() => ({}))).toMatch(
		/without its near-duplicates; the project of 30 functions is not known, nor a commit: /,
	);
});

it('tells a run that goes on with a stacked head what became of its n-grams', () => {
	const own = { type: 'ngram', mean: 0.5, deviation: 2, hash: 'a' } as const;
	expect(describeRefit(own, own)).toBeUndefined();
	expect(describeRefit(own, undefined)).toBeUndefined();
	expect(describeRefit(own, { ...own, hash: 'b' })).toMatch(/fitted anew on these training functions/);
	expect(describeRefit(own, { ...own, mean: 0.4 })).toMatch(/in units of this run's folds/);
	expect(describeRefit(own, { ...own, deviation: 3 })).toMatch(/in units of this run's folds/);
});

describe('the scores that a head sees', () => {
	const rowsOf = (from: number, count: number) =>
		Array.from({ length: count }, (_, i) => {
			const label = (i % 2) as 0 | 1;
			const call = label === 1 ? 'unchecked' : 'guarded';
			// a name that is a row's own: n-grams that saw the row know it
			return row(from + i, { code: `${distinctCode(from + i)} ${i % 6 < 4 ? `${call}(a);` : ''}`, label });
		});
	const rows = { train: rowsOf(0, 30), valid: rowsOf(100, 8), test: rowsOf(200, 8) };
	const data = {
		splits: { train: { rows: rows.train }, valid: { rows: rows.valid }, test: { rows: rows.test } },
	} as unknown as PreparedData;
	const noted: string[] = [];
	const found = stackOnNgram(config, data, { note: (line) => noted.push(line), stop: () => false })!;
	const { ngram } = found;
	const { mean, deviation } = ngram!.description;
	const seen = (own: Parameters<typeof ngramLogOdds>[0], code: string) =>
		(ngramLogOdds(own, [code])[0]! - mean) / deviation;

	it('are of n-grams without the fold of a training row, and of all training rows for the others', () => {
		const { model } = ngram!.selection;
		const { features, inverseRegularization } = model;
		const { foldOf } = stackFolds(config, rows.train);
		const { train } = found.data.splits;
		for (const fold of new Set(foldOf)) {
			const others = rows.train.filter((_, i) => foldOf[i] !== fold);
			const fitted = fitNgram(
				others.map(({ code, label }) => ({ text: code, label })),
				{ features, inverseRegularization },
			);
			for (const [i, { code }] of rows.train.entries()) {
				if (foldOf[i] === fold)
					expect(train.stackedScores![i], `row ${i}`).toBeCloseTo(seen(fitted, code), 4);
			}
		}
		for (const split of ['valid', 'test'] as const) {
			const expected = rows[split].map(({ code }) => seen(model, code));
			for (const [i, score] of found.data.splits[split].stackedScores!.entries()) {
				expect(score, `${split} ${i}`).toBeCloseTo(expected[i]!, 5);
			}
		}
		expect(noted).toEqual([describeStackFolds(stackFolds(config, rows.train))]);
	});

	it('are none where the head is not stacked', () => {
		const plain = { ...config, method: { ...config.method, stack: null } };
		expect(stackOnNgram(plain, data, { note: () => {}, stop: () => false })).toEqual({
			data,
			ngram: undefined,
		});
	});
});
