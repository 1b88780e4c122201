import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { cachedAudit } from './audit-cache.ts';
import { dropNearDuplicates } from './drop-near-duplicates.ts';
import { noProjects, projectOf, readProjects } from './projects.ts';
import { distinctCode, row } from './testing/rows.ts';
import { loadAuditedDataset, loadConfiguredDataset } from './training-dataset.ts';

const root = temporaryFolder();
const inside = (name: string) => path.join(root, name);
const writeSplit = (split: string, numbers: readonly number[]) =>
	writeFileSync(
		inside(`${split}.jsonl`),
		numbers
			.map((number) => `${JSON.stringify({ code: distinctCode(number), target: number % 2 })}\n`)
			.join(''),
	);
const source = {
	path: root,
	onBadRow: 'error',
	projects: null,
	dropNearDuplicates: false,
	sample: null,
	sampleSeed: 1,
} as const;

describe('the dataset of a config', () => {
	it('comes with a warning where its splits are not apart', async () => {
		writeSplit('train', [0, 1, 2, 3, 4]);
		writeSplit('valid', [4, 5]);
		writeSplit('test', [0, 6, 7]);
		const notes: string[] = [];
		const { splits } = await loadAuditedDataset(source, (line) => notes.push(line));
		expect(splits.train).toHaveLength(5);
		expect(notes).toEqual([expect.stringContaining('test knows from train: 1 near-duplicates; valid knows')]);
	});

	it('is without near-duplicates where that is asked for, and says how many there were', async () => {
		const notes: string[] = [];
		const apart = { ...source, dropNearDuplicates: true };
		const { splits, leftOut } = await loadAuditedDataset(apart, (line) => notes.push(line));
		expect(splits.train.map(({ id }) => id)).toEqual([2, 3, 4]);
		expect(splits.test).toHaveLength(3);
		expect(leftOut.nearDuplicates).toEqual({ train: 2, valid: 0 });
		expect(notes).toEqual([]);
	});

	it('is a sample of the training rows where that is asked for, and says how many there were', async () => {
		const { splits, leftOut, hash } = await loadConfiguredDataset({ ...source, sample: 0.4 });
		expect(splits.train).toHaveLength(2);
		expect([splits.valid.length, splits.test.length]).toEqual([2, 3]);
		expect(leftOut.notSampled).toBe(3);
		// what was read is the same
		expect(hash).toBe((await loadConfiguredDataset(source)).hash);
	});

	it('is refused where nothing is left of a split', async () => {
		writeSplit('train', [0, 4]);
		const asked = loadConfiguredDataset({ ...source, dropNearDuplicates: true });
		await expect(asked).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
	});
});

it('drops from training what validation or test has, from validation what test has, from test nothing', () => {
	const { splits, dropped } = dropNearDuplicates({
		train: [row(0), row(1), row(2)],
		valid: [row(3, { code: distinctCode(1) }), row(4, { code: distinctCode(9) })],
		test: [row(5, { code: distinctCode(0) }), row(6, { code: distinctCode(9) })],
	});
	expect(splits.train.map(({ id }) => id)).toEqual([2]);
	expect(splits.valid.map(({ id }) => id)).toEqual([3]);
	expect(splits.test.map(({ id }) => id)).toEqual([5, 6]);
	expect(dropped).toEqual({ train: 2, valid: 1 });
	const words = Array.from({ length: 40 }, (_, i) => `w${i}`);
	// 32 sequences of five words of 37 are the same
	const alike = {
		train: [row(0, { code: words.join(' ') })],
		valid: [],
		test: [row(1, { code: [...words.slice(0, 36), 'x'].join(' ') })],
	};
	expect(dropNearDuplicates(alike).dropped.train).toBe(0);
	expect(dropNearDuplicates(alike, 0.8).dropped.train).toBe(1);
});

it('keeps an audit, and makes it again where the file is damaged', async () => {
	const folder = inside('audits');
	const splits = { train: [row(0)], valid: [], test: [row(1, { code: distinctCode(0) })] };
	const first = await cachedAudit(splits, noProjects, 'key', folder);
	expect(first.across[0]!.exact).toBe(1);
	const nothing = { train: [], valid: [], test: [] };
	expect(await cachedAudit(nothing, noProjects, 'key', folder)).toEqual(first);
	expect((await cachedAudit(nothing, noProjects, 'other', folder)).across).toEqual([]);
	for (const file of readdirSync(folder)) writeFileSync(path.join(folder, file), '{"schema"');
	expect(await cachedAudit(splits, noProjects, 'key', folder)).toEqual(first);
});

it('reads projects of commits as names or objects, and refuses others', () => {
	const file = inside('projects.json');
	writeFileSync(file, JSON.stringify({ a: 'x/y', b: { repo: 'u/v', date: '2020-01-01', more: 1 } }));
	const projects = readProjects(file);
	expect(projectOf({ commit: 'a' }, projects)).toBe('x/y');
	expect(projectOf({ commit: 'b', repo: 'own/one' }, projects)).toBe('own/one');
	expect(projectOf({ commit: 'c' }, projects)).toBeUndefined();
	expect(projects.dateOf.get('b')).toBe('2020-01-01');
	for (const value of [{ a: 3 }, { a: { repo: '' } }, [1]]) {
		writeFileSync(file, JSON.stringify(value));
		expect(() => readProjects(file)).toThrow(expect.objectContaining({ code: 'PROJECTS_FILE' }));
	}
});
