import '../../../../tests/properties.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignGroups } from './assign-groups.ts';
import { findDuplicates } from './duplicates.ts';
import { noProjects } from './projects.ts';
import { groupings, groupRowsBy } from './row-groups.ts';
import { distinctCode, row } from './testing/rows.ts';

const drawnRows = fc
	.array(
		fc.record({
			text: fc.integer({ min: 0, max: 15 }),
			repo: fc.option(fc.constantFrom('a/x', 'b/y', 'c/z', 'd/u', 'e/v'), { nil: undefined }),
			commit: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
			label: fc.constantFrom(0 as const, 1 as const),
		}),
		{ minLength: 1, maxLength: 40 },
	)
	.map((drawn) =>
		drawn.map(({ text, repo, commit, label }, id) =>
			row(id, {
				code: distinctCode(text),
				label,
				...(repo === undefined ? {} : { repo }),
				...(commit === undefined ? {} : { commit: `c${commit}` }),
			}),
		),
	);

describe('groups of rows', () => {
	it('hold all that share a commit, a project or a text, and their folds share none', () => {
		fc.assert(
			fc.property(drawnRows, fc.integer({ min: 2, max: 5 }), fc.nat(100), (rows, folds, seed) => {
				const groups = groupRowsBy(rows, groupings, noProjects, findDuplicates(rows.map(({ code }) => code)));
				const shares = new Array(folds).fill(1 / folds);
				const foldOf = assignGroups(
					groups,
					rows.map(({ label }) => label),
					shares,
					seed,
				);
				for (const [a, first] of rows.entries()) {
					for (const [b, second] of rows.entries()) {
						const isJoined =
							first.code === second.code ||
							(first.repo !== undefined && first.repo === second.repo) ||
							(first.commit !== undefined && first.commit === second.commit);
						if (isJoined) expect(groups[a]).toBe(groups[b]);
						if (isJoined) expect(foldOf[a]).toBe(foldOf[b]);
					}
				}
			}),
			{ numRuns: 60 },
		);
	});

	it('are no larger than what was asked for joins', () => {
		const rows = [row(0, { commit: 'a', repo: 'x' }), row(1, { commit: 'a' }), row(2, { repo: 'x' }), row(3)];
		const none = findDuplicates(rows.map(({ code }) => code));
		expect([...groupRowsBy(rows, ['commit'], noProjects, none)]).toEqual([0, 0, 1, 2]);
		expect([...groupRowsBy(rows, ['project'], noProjects, none)]).toEqual([0, 0, 0, 1]);
	});

	it('join near-duplicates from the similarity that is asked for', () => {
		const words = Array.from({ length: 40 }, (_, i) => `w${i}`);
		const rows = [
			row(0, { code: words.join(' ') }),
			row(1, { code: [...words.slice(0, 36), 'x'].join(' ') }),
		];
		const duplicates = findDuplicates(rows.map(({ code }) => code));
		expect(duplicates.pairs[0]!.similarity).toBeCloseTo(32 / 37, 10);
		const groups = (similarity: number) => [
			...groupRowsBy(rows, ['nearDuplicate'], noProjects, duplicates, similarity),
		];
		expect(groups(0.9)).toEqual([0, 1]);
		expect(groups(0.8)).toEqual([0, 0]);
	});

	it('know a project by the commit where a row has no repo, however it is spelled', () => {
		const projects = {
			repoOf: new Map([['a', 'https://github.com/Apache/Tomcat.git']]),
			dateOf: new Map(),
			hash: '',
		};
		const rows = [row(0, { commit: 'a' }), row(1, { commit: 'b', repo: 'apache/tomcat' })];
		const none = findDuplicates(rows.map(({ code }) => code));
		expect([...groupRowsBy(rows, ['project'], projects, none)]).toEqual([0, 0]);
	});
});

describe('dealing groups', () => {
	it('gives each part its share of both classes', () => {
		const groups = Int32Array.from({ length: 300 }, (_, i) => i % 100);
		const labels = Array.from(groups, (group, i) => (group % 10 === 0 && i < 200 ? 1 : 0) as 0 | 1);
		const parts = assignGroups(groups, labels, [0.6, 0.2, 0.2], 3);
		const count = (part: number, label: 0 | 1) =>
			labels.filter((own, i) => own === label && parts[i] === part).length;
		expect([0, 1, 2].map((part) => count(part, 1))).toEqual([12, 4, 4]);
		for (const [part, share] of [0.6, 0.2, 0.2].entries()) {
			expect(Math.abs(count(part, 0) - share * 280)).toBeLessThan(4);
		}
	});

	it('draws another order of equal groups for another seed, and the same for the same', () => {
		const groups = Int32Array.from({ length: 40 }, (_, i) => i);
		const labels = Array.from(groups, (i) => (i % 2) as 0 | 1);
		const deal = (seed: number) => [...assignGroups(groups, labels, [0.5, 0.5], seed)];
		expect(deal(1)).toEqual(deal(1));
		expect(deal(1)).not.toEqual(deal(2));
	});

	it('gives nothing to a part without a share', () => {
		const parts = assignGroups(Int32Array.of(0, 1, 2), [0, 1, 0], [0.5, 0, 0.5], 1);
		expect([...parts]).not.toContain(1);
	});
});
