import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { splitByTime } from './split-by-time.ts';
import { loadAnySplits, renderSplit, type SplitRequest, splitDataset } from './split-dataset.ts';
import { distinctCode } from './testing/rows.ts';

const root = temporaryFolder();
let made = 0;

/** Writes a dataset of lines with all sorts of fields, and asks for a split of it. */
function request(lines: readonly object[], fields: Partial<SplitRequest> = {}): SplitRequest {
	const location = path.join(root, `data${made}`);
	const output = path.join(root, `split${made++}`);
	mkdirSync(location);
	writeFileSync(
		path.join(location, 'train.jsonl'),
		lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
	);
	return {
		...{ location, output, by: ['project', 'nearDuplicate'], shares: [0.6, 0.2, 0.2], seed: 1 },
		...{ projects: null, similarity: 0.9, dropNearDuplicates: false },
		...fields,
	};
}

const lines = Array.from({ length: 40 }, (_, i) => ({
	idx: i,
	code: distinctCode(i),
	target: i % 2,
	commit: `c${i >> 1}`,
	date: `2020-01-${String(1 + (i >> 1)).padStart(2, '0')}`,
	more: [i],
}));
const read = (output: string, split: string) =>
	readFileSync(path.join(output, `${split}.jsonl`), 'utf8')
		.split('\n')
		.slice(0, -1);

describe('a split', () => {
	it('writes every line as it was read, once, and keeps commits together', async () => {
		const asked = request(lines);
		const report = await splitDataset(asked);
		const parts = ['train', 'valid', 'test'].map((split) => read(asked.output, split));
		expect(parts.flat().toSorted()).toEqual(lines.map((line) => JSON.stringify(line)).toSorted());
		const commits = parts.map((part) => new Set(part.map((line) => JSON.parse(line).commit)));
		expect(commits[0]!.isDisjointFrom(commits[1]!) && commits[0]!.isDisjointFrom(commits[2]!)).toBe(true);
		expect(commits[1]!.isDisjointFrom(commits[2]!)).toBe(true);
		expect(report).toMatchObject({
			...{ groups: 20, largestGroup: 2, withoutProject: 40 },
			splits: { train: { functions: 24, vulnerable: 12 }, valid: { functions: 8 }, test: { functions: 8 } },
		});
		expect(JSON.parse(readFileSync(path.join(asked.output, 'split.json'), 'utf8'))).toEqual(report);
	});

	it('repeats for a seed, and is another for another', async () => {
		const tests = await Promise.all(
			[1, 1, 2].map(async (seed) => {
				const asked = request(lines, { seed });
				await splitDataset(asked);
				return read(asked.output, 'test');
			}),
		);
		expect(tests[0]).toEqual(tests[1]);
		expect(tests[0]).not.toEqual(tests[2]);
	});

	it('by time tests on the newest commits and leaves out what has no date', async () => {
		const undated = { idx: 99, code: distinctCode(99), target: 0 };
		const asked = request([...lines, undated], { by: 'time' });
		const report = await splitDataset(asked);
		expect(report.leftOut.withoutDate).toBe(1);
		expect(report.groups).toBe((await splitDataset(request(lines, { by: 'time' }))).groups);
		const dates = ['train', 'valid', 'test'].map((split) =>
			read(asked.output, split).map((line) => JSON.parse(line).date as string),
		);
		expect(dates.map((part) => part.length)).toEqual([24, 8, 8]);
		expect(dates[0]!.toSorted().at(-1)! < dates[1]!.toSorted()[0]!).toBe(true);
		expect(dates[1]!.toSorted().at(-1)! < dates[2]!.toSorted()[0]!).toBe(true);
	});

	it('drops near-duplicates of later splits where it is asked to', async () => {
		const copies = lines.map((line) => ({
			...line,
			commit: `c${line.idx}`,
			code: distinctCode(line.idx >> 1),
		}));
		const asked = request(copies, { by: ['commit'], dropNearDuplicates: true });
		const report = await splitDataset(asked);
		expect(report.leftOut.nearDuplicates).toBeGreaterThan(0);
		const codes = ['train', 'valid', 'test'].map(
			(split) => new Set(read(asked.output, split).map((line) => JSON.parse(line).code)),
		);
		expect(codes[0]!.isDisjointFrom(codes[2]!) && codes[1]!.isDisjointFrom(codes[2]!)).toBe(true);
		expect(codes[0]!.isDisjointFrom(codes[1]!)).toBe(true);
		// 20 sequences of five words of 28 are those of another function
		const alike = lines.map((line) => {
			const words = Array.from({ length: 28 }, (_, i) => `w${line.idx >> 1}_${i}`);
			return { ...line, commit: `c${line.idx}`, code: [...words, `own${line.idx}`].join(' ') };
		});
		const looser = { by: ['commit'], dropNearDuplicates: true, similarity: 0.5 } as const;
		expect((await splitDataset(request(alike, { ...looser, similarity: 1 }))).leftOut.nearDuplicates).toBe(0);
		expect((await splitDataset(request(alike, looser))).leftOut.nearDuplicates).toBeGreaterThan(0);
	});

	it('says of which rows nothing is known that would keep them together', async () => {
		const text = async (fields: (i: number) => object, asked: Partial<SplitRequest> = {}) => {
			const own = lines.map(({ commit: _commit, ...line }, i) => ({ ...line, ...fields(i) }));
			return renderSplit(await splitDataset(request(own, asked)), 'there');
		};
		const parted = 'a function and its fix among them may be parted';
		expect(await text(() => ({}))).toContain(
			`The project of 40 functions is not known, nor a commit: ${parted}.`,
		);
		expect(await text((i) => ({ commit: `c${i >> 1}` }))).toContain(
			'The project of 40 functions is not known: they stay with their commit.',
		);
		const some = await text((i) => (i < 10 ? { repo: `a/${i}` } : i < 30 ? { commit: `c${i >> 1}` } : {}));
		expect(some).toContain(
			`The project of 30 functions is not known: 20 stay with their commit, 10 name none, ${parted}.`,
		);
		const byCommit = await text((i) => (i < 30 ? { commit: `c${i >> 1}` } : {}), { by: ['commit'] });
		expect(byCommit).toContain(`10 functions name no commit: ${parted}.`);
		const named = await text((i) => ({ repo: `a/${i >> 1}`, commit: `c${i >> 1}` }));
		expect(named).not.toMatch(/not known|name no/);
		const dated = { by: 'time' } as const;
		expect(await text((i) => (i === 0 ? { date: 'May the 5th' } : {}), dated)).toContain(
			'\n1 functions name a date that is none.\n1 functions without a date are left out.',
		);
	});

	it('says which splits nothing is dealt to', async () => {
		const report = await splitDataset(request(lines, { shares: [1, 0, 0] }));
		expect(renderSplit(report, 'there')).toContain('Nothing is in valid and test: vulntune train needs');
	});

	it('refuses to keep together by what no row names', async () => {
		const bare = lines.map(({ commit: _commit, ...line }) => line);
		for (const by of [['commit'], ['project'], ['project', 'commit']] as const) {
			await expect(splitDataset(request(bare, { by }))).rejects.toMatchObject({
				code: 'SPLIT_NO_NAMES',
				summary: `no row names its ${by.join(' or ')}: nothing would be kept together`,
			});
		}
		await expect(splitDataset(request(lines, { by: ['project'] }))).rejects.toMatchObject({
			remedy: expect.stringContaining('--projects'),
		});
		await splitDataset(request(lines, { by: ['project', 'commit'] }));
	});

	it('refuses what it cannot do, and writes nothing', async () => {
		const one = lines.map((line) => ({ ...line, repo: 'a/x' }));
		await expect(splitDataset(request(one))).rejects.toMatchObject({ code: 'SPLIT_EMPTY' });
		const undated = lines.map(({ date: _date, ...line }) => line);
		await expect(splitDataset(request(undated, { by: 'time' }))).rejects.toMatchObject({
			code: 'SPLIT_NO_DATE',
		});
		const asked = request(lines);
		mkdirSync(asked.output);
		writeFileSync(path.join(asked.output, 'notes.txt'), 'mine');
		await expect(splitDataset(asked)).rejects.toMatchObject({ code: 'OUTPUT_TAKEN' });
		const file = request(lines);
		writeFileSync(file.output, 'mine');
		await expect(splitDataset(file)).rejects.toMatchObject({ code: 'OUTPUT_NOT_FOLDER' });
		const empty = request([]);
		await expect(splitDataset(empty)).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
		const none = loadAnySplits(asked.output);
		await expect(none).rejects.toMatchObject({
			code: 'DATASET_NOT_FOUND',
			summary: 'train.jsonl is missing',
		});
	});

	it('refuses ids of two splits that come together, and renumbers rows without ids', async () => {
		const asked = request(lines.slice(0, 20).map(({ idx: _idx, ...line }) => line));
		writeFileSync(
			path.join(asked.location, 'test.jsonl'),
			lines
				.slice(20)
				.map(({ idx: _idx, ...line }) => `${JSON.stringify(line)}\n`)
				.join(''),
		);
		await expect(splitDataset(asked)).resolves.toMatchObject({ groups: 20 });
		const clash = request(lines, { shares: [1, 0, 0] });
		writeFileSync(path.join(clash.location, 'test.jsonl'), `${JSON.stringify(lines[0])}\n`);
		await expect(splitDataset(clash)).rejects.toMatchObject({ code: 'SPLIT_IDS' });
	});
});

it('keeps a group with its newest row and moments together', () => {
	const groups = Int32Array.of(0, 0, 1, 2, 3);
	const parts = splitByTime(groups, [9, 1, 2, 2, Number.NaN], [0.5, 0.5], 'here');
	expect([...parts]).toEqual([1, 1, 0, 0, -1]);
});
