import { describe, expect, it } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { loadDataset } from '../data/dataset.ts';
import { auditDataset } from './audit-dataset.ts';
import { auditWarning, renderAudit } from './audit-text.ts';
import { noProjects, readProjects } from './projects.ts';
import { distinctCode, row } from './testing/rows.ts';

const near = (number: number) => `${distinctCode(number)} tail();`;

const splits = {
	train: [
		row(0, { repo: 'a/x', commit: 'c0', date: '2020-01-01' }),
		row(2, { repo: 'b/y', commit: 'c1', date: '2021-06-01' }),
		row(4, { date: 'yesterday' }),
		row(5, { code: distinctCode(4), label: 0 }),
	],
	valid: [row(6)],
	test: [
		// a copy of train 0 with the other label, a near-duplicate of train 2
		row(10, { code: distinctCode(0).replaceAll(' ', '\n'), label: 1, date: '2021-01-01' }),
		row(12, { code: near(2), repo: 'B/Y', date: '2022-01-01' }),
		row(14, { commit: 'c1' }),
		row(16),
	],
};
const audit = auditDataset(splits, noProjects);

describe('an audit', () => {
	it('counts what a split knows from another one', () => {
		const [fromTrain, fromValid, validFromTrain] = audit.across;
		expect(fromTrain).toEqual({
			...{ split: 'test', other: 'train' },
			...{ exact: 1, near: 2, similar: 2, commit: 1, project: 1, older: 1 },
		});
		expect(fromValid).toMatchObject({
			split: 'test',
			other: 'valid',
			similar: 0,
			project: null,
			older: null,
		});
		expect(validFromTrain).toMatchObject({ split: 'valid', other: 'train', similar: 0, commit: null });
	});

	it('counts copies inside a split, dates and projects', () => {
		expect(audit.splits.train).toEqual({
			...{ functions: 4, vulnerable: 0, copies: 1 },
			dates: { first: '2020-01-01', last: '2021-06-01' },
		});
		expect(audit.splits.valid.dates).toBeNull();
		expect(audit.projects).toEqual({ knownRows: 3, count: 2 });
		expect(audit.dates).toEqual({ knownRows: 4, unreadableRows: 1 });
	});

	it('names texts with both labels and clusters', () => {
		const train = { split: 'train', id: 0, label: 0 };
		const test = { split: 'test', id: 10, label: 1 };
		expect(audit.labelConflicts).toEqual({ texts: 1, rows: 2, found: [[train, test]] });
		// copies of 0, 2 with its near-duplicate, and the two of 4 in train
		expect(audit.clusters).toEqual({ count: 3, largest: 2 });
		expect(audit.pairs.map(({ rows }) => rows.map(({ id }) => id))).toEqual([
			[0, 10],
			[2, 12],
		]);
		expect(audit.pairs[0]!.similarity).toBe(1);
	});

	it('counts near-duplicates from 0.9 and similar ones from 0.5', () => {
		const words = Array.from({ length: 24 }, (_, i) => `w${i}`).join(' ');
		const counts = (tail: string) =>
			auditDataset(
				{ train: [row(0, { code: words })], valid: [], test: [row(1, { code: words + tail })] },
				noProjects,
			).across[0];
		expect(counts(' a b')).toMatchObject({ exact: 0, near: 1, similar: 1 });
		expect(counts(' a b c')).toMatchObject({ near: 0, similar: 1 });
		expect(counts(Array.from({ length: 21 }, (_, i) => ` x${i}`).join(''))).toMatchObject({ similar: 0 });
	});

	it('is told in a line before training, and not where nothing is shared', () => {
		expect(auditWarning(audit, 'data/x')).toBe(
			'the splits are not apart (test knows from train: 2 near-duplicates, 1 of the same commit, 1 of the same project; texts with both labels: 1): numbers on them are too good; see vulntune dataset audit data/x',
		);
		const apart = auditDataset({ train: [row(0)], valid: [row(1)], test: [row(2)] }, noProjects);
		expect(auditWarning(apart, 'data/x')).toBeUndefined();
		const conflict = [row(0), row(1, { code: distinctCode(0) })];
		const inside = auditDataset({ train: conflict, valid: [], test: [row(2)] }, noProjects);
		expect(auditWarning(inside, 'data/x')).toBe(
			'texts with both labels: 1; see vulntune dataset audit data/x',
		);
	});

	it('is shown for people', () => {
		const text = renderAudit(audit);
		expect(text).toContain('test, train                1 (25.0 %)       2 (50.0 %)');
		expect(text).toContain('1 text has both labels, in 2 functions.\n  train 0 (not), test 10 (vulnerable)');
		expect(text).toContain('1 functions name a date that is none.');
	});
});

const x1 = needsShared('data/x1-without-p3');
const commits = needsShared('data/x1-with-p3-rebuilt/commits.json');

it.skipIf(x1.skip || commits.skip)('finds in X1 what its description says', async () => {
	const { splits: rows } = await loadDataset(x1.path);
	const found = auditDataset(rows, readProjects(commits.path));
	expect(found.across[0]).toMatchObject({ exact: 1, near: 13, commit: 0 });
	expect(found.across[2]).toMatchObject({ exact: 1 });
	expect(found.labelConflicts).toMatchObject({ texts: 1, rows: 2 });
	expect(found.projects).toEqual({ knownRows: 895, count: 84 });
	expect(found.splits.train.dates!.first.slice(0, 4)).toBe('2008');
});
