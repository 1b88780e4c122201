import '../../../../tests/properties.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDuplicates } from '../audit/duplicates.ts';
import { noProjects } from '../audit/projects.ts';
import { clustersOf } from '../audit/row-groups.ts';
import { distinctCode, row } from '../audit/testing/rows.ts';
import { planFolds } from './plan-folds.ts';

const drawn = fc.array(
	fc.record({
		text: fc.integer({ min: 0, max: 400 }),
		repo: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 2 }),
		commit: fc.option(fc.integer({ min: 0, max: 200 }), { nil: undefined, freq: 2 }),
	}),
	{ minLength: 60, maxLength: 80 },
);

describe('folds', () => {
	it('never share a project, a commit or near-duplicates with what they learn from and choose by', () => {
		let planned = 0;
		let [ofOneProject, ofOneCommit] = [0, 0];
		fc.assert(
			fc.property(drawn, fc.integer({ min: 2, max: 4 }), fc.nat(50), (fields, folds, seed) => {
				const rows = fields.map(({ text, repo, commit }, id) =>
					row(id, {
						// a tail that leaves two of one text near-duplicates
						code: `${distinctCode(text)}${id % 3 === 0 ? ' x();' : ''}`,
						...(repo === undefined ? {} : { repo: `r${repo}` }),
						...(commit === undefined ? {} : { commit: `c${commit}` }),
					}),
				);
				const labels = rows.map(({ label }) => label);
				const clusterOf = clustersOf(rows, noProjects, 0.9);
				let plan: ReturnType<typeof planFolds>;
				try {
					plan = planFolds(clusterOf, labels, folds, seed);
				} catch (error) {
					expect(error).toMatchObject({ code: 'CROSS_VALIDATION_FOLDS' });
					return;
				}
				planned++;
				const repeats = (names: readonly (string | undefined)[]) =>
					names.filter((name, i) => name !== undefined && names.indexOf(name) < i).length;
				ofOneProject += repeats(rows.map(({ repo }) => repo));
				ofOneCommit += repeats(rows.map(({ commit }) => commit));
				const { textOf, pairs } = findDuplicates(rows.map(({ code }) => code));
				const near = new Set(
					pairs.filter(({ similarity }) => similarity >= 0.9).map(({ a, b }) => `${a} ${b}`),
				);
				for (const [fold, parts] of plan.parts.entries()) {
					for (const [a, first] of rows.entries()) {
						expect(parts[a] === 'test').toBe(plan.foldOf[a] === fold);
						for (const [b, second] of rows.entries()) {
							if (parts[a] === parts[b]) continue;
							expect(first.repo === undefined || first.repo !== second.repo).toBe(true);
							expect(first.commit === undefined || first.commit !== second.commit).toBe(true);
							expect(textOf[a]).not.toBe(textOf[b]);
							expect(near.has(`${textOf[a]} ${textOf[b]}`)).toBe(false);
						}
					}
				}
			}),
			{ numRuns: 25 },
		);
		expect(planned).toBeGreaterThan(10);
		// there was something to keep together
		expect(Math.min(ofOneProject, ofOneCommit)).toBeGreaterThan(planned);
	});

	it('hold out and set aside about their share of both classes', () => {
		const labels = Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 1 : 0) as 0 | 1);
		const { parts } = planFolds(Int32Array.from(labels.keys()), labels, 5, 1);
		const count = (fold: number, part: string, label: 0 | 1) =>
			labels.filter((own, i) => own === label && parts[fold]![i] === part).length;
		for (let fold = 0; fold < 5; fold++) {
			expect([count(fold, 'test', 1), count(fold, 'valid', 1), count(fold, 'train', 1)]).toEqual([
				20, 10, 70,
			]);
			expect([count(fold, 'test', 0), count(fold, 'valid', 0)]).toEqual([60, 30]);
		}
	});

	it('are refused where a class would be missing', () => {
		const labels = [0, 1, 0, 1, 0, 1] as const;
		expect(() => planFolds(Int32Array.of(0, 0, 0, 1, 1, 1), labels, 3, 1)).toThrow(
			expect.objectContaining({ code: 'CROSS_VALIDATION_FOLDS', place: '--folds' }),
		);
	});
});
