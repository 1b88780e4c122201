import '../../../../tests/properties.ts';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { temporaryFolder, tinyConfig } from '../../../../tests/tiny.ts';
import { distinctCode, row } from '../audit/testing/rows.ts';
import type { FunctionRow } from '../data/row.ts';
import { stackFolds } from './stack-ngram.ts';

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
			const foldOf = stackFolds(config, rows);
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
