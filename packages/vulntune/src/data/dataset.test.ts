import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { loadDataset, splitNames } from './dataset.ts';

const good = '{"code": "int f() { return 1; }", "target": 0, "idx": 5}\n';

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(path.join(os.tmpdir(), 'vulntune-data-'));
	for (const split of splitNames) await write(`${split}.jsonl`, good);
});
afterEach(() => rm(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): Promise<void> {
	return writeFile(path.join(folder, name), content);
}

async function failure(run: Promise<unknown>): Promise<VulntuneError> {
	const error = await run.then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	expect(error).toBeInstanceOf(VulntuneError);
	return error as VulntuneError;
}

describe('a dataset folder', () => {
	it('gives the rows of each split', async () => {
		await write('train.jsonl', `\ufeff${good}\r\n  \n{"func": "g()", "label": 1}`);
		const { splits } = await loadDataset(folder);
		expect(splits.train).toEqual([
			{ id: 5, code: 'int f() { return 1; }', label: 0 },
			{ id: 4, code: 'g()', label: 1 },
		]);
		expect(splits.test).toHaveLength(1);
	});

	it.each([
		['{"code": "f()", "target": 1', 'broken JSON'],
		[`${good}`, 'id 5 is already that of line 1'],
		['{"code": "f()"}', 'missing field target'],
		['{"code": "f()", "target": 3}', 'target: expected 0 or 1, found 3'],
		['{"code": "  ", "target": 1}', 'the function is empty'],
	])('names the line of %s', async (line, fault) => {
		await write('train.jsonl', `${good}\n${line}\n`);
		const error = await failure(loadDataset(folder));
		expect(error).toMatchObject({ code: 'DATASET_INVALID', kind: 'input', place: 'train.jsonl:3' });
		expect(error.message).toMatch(/^train\.jsonl:3: /);
		expect(error.message).toContain(fault);
	});

	it('names a line that is not valid UTF-8', async () => {
		const bad = Buffer.from('{"code": "caf\u00e9()", "target": 1}\n', 'latin1');
		await write('valid.jsonl', Buffer.concat([Buffer.from(good), bad]));
		expect(await failure(loadDataset(folder))).toMatchObject({
			place: 'valid.jsonl:2',
			summary: 'the line is not valid UTF-8',
		});
	});

	it('refuses a line longer than any function', async () => {
		await write('test.jsonl', `{"code": "${'x'.repeat(9 * 2 ** 20)}", "target": 1}`);
		const error = await failure(loadDataset(folder));
		expect(error.place).toBe('test.jsonl:1');
		expect(error.summary).toMatch(/the line has \d+ bytes, at most 8388608/);
	});

	it('tells the first twenty faults of all splits at once and counts the rest', async () => {
		await write('train.jsonl', '{"target": 1}\n'.repeat(19));
		await write('test.jsonl', '{"code": "f()"}\n'.repeat(4));
		const { message } = await failure(loadDataset(folder));
		expect(message).toContain('23 faults');
		expect(message.match(/^ {2}train\.jsonl:\d+: missing field code/gm)).toHaveLength(19);
		expect(message).toContain('  test.jsonl:1: missing field target');
		expect(message).not.toContain('test.jsonl:2');
		expect(message).toContain('… and 3 more');
	});

	it('says which split is missing and what is there', async () => {
		await rm(path.join(folder, 'valid.jsonl'));
		const error = await failure(loadDataset(folder));
		expect(error).toMatchObject({
			code: 'DATASET_NOT_FOUND',
			summary: 'valid.jsonl is missing',
			place: folder,
		});
		expect(error.remedy).toContain('train.jsonl');
		const { splits } = await loadDataset(folder, { required: ['test'], optional: ['valid'] });
		expect(splits).toMatchObject({ train: [], valid: [] });
		expect(splits.test).toHaveLength(1);
	});

	it('refuses an empty split, a missing folder and another kind of file', async () => {
		await write('test.jsonl', '\n\n');
		expect(await failure(loadDataset(folder))).toMatchObject({ code: 'DATASET_EMPTY' });
		expect(await failure(loadDataset(path.join(folder, 'absent')))).toMatchObject({
			code: 'DATASET_NOT_FOUND',
		});
		expect(await failure(loadDataset(path.join(folder, 'train.jsonl')))).toMatchObject({
			code: 'DATASET_NOT_FOUND',
		});
		expect(await failure(loadDataset(folder, { maxFileBytes: 10 }))).toMatchObject({
			code: 'DATASET_TOO_LARGE',
		});
	});

	it('leaves bad rows out where it is told to, and lists them', async () => {
		const bad = Buffer.from('{"code": "caf\u00e9()", "target": 1}\n', 'latin1');
		const lines = [
			'{"code": " ", "target": 7}',
			'{"code": "f()"}',
			good.trim(),
			'{"code": "g()", "target": 1, "idx": 9}',
			'{',
		];
		await write('train.jsonl', Buffer.concat([Buffer.from(`${good}${lines.join('\n')}\n`), bad]));
		const { splits, leftOut } = await loadDataset(folder, { onBadRow: 'skip' });
		expect(splits.train.map(({ code }) => code)).toEqual(['int f() { return 1; }', 'g()']);
		expect(leftOut.rows).toBe(5);
		expect(leftOut.faults.map(({ place }) => place)).toEqual(
			[2, 2, 3, 4, 6, 7].map((line) => `train.jsonl:${line}`),
		);
		expect(leftOut.faults[0]!.message).toBe('code: the function is empty');
		expect((await loadDataset(folder, { required: ['test'] })).leftOut.rows).toBe(0);
		await write('train.jsonl', lines[0]!);
		expect(await failure(loadDataset(folder, { onBadRow: 'skip' }))).toMatchObject({
			code: 'DATASET_EMPTY',
			summary: 'train.jsonl holds no row that is as it should be',
		});
	});

	it.each([
		['[{"code": "f()", "target": 1}]', 'a JSON array', "jq -c '.[]'"],
		['[\n  {"code": "f()", "target": 1}\n]', 'a JSON array', "jq -c '.[]'"],
		['{\n  "code": "f()", "target": 1\n}', 'a JSON object over several lines', "jq -c '.'"],
		['idx,code,target\n1,f(),1\n', 'a table (CSV)', 'to_json'],
		['"func"\t"label"\nf()\t1\n', 'a table (CSV)', 'to_json'],
		['PAR1\u0000', 'a Parquet file', 'to_json'],
		[Buffer.from(`\ufeff${good}`, 'utf16le'), 'UTF-16 text', 'UTF-8'],
		[Buffer.from([0x1f, 0x8b, 8, 0]), 'a gzip file', 'gunzip'],
	])('names another format: %s', async (content, what, remedy) => {
		await write('valid.jsonl', content);
		for (const onBadRow of ['error', 'skip'] as const) {
			const error = await failure(loadDataset(folder, { onBadRow }));
			expect(error).toMatchObject({ code: 'DATASET_FORMAT', place: 'valid.jsonl' });
			expect(error.summary).toContain(what);
			expect(error.remedy).toContain(remedy);
		}
	});

	it('says what lies there instead of JSONL', async () => {
		await rm(folder, { recursive: true });
		folder = await mkdtemp(path.join(os.tmpdir(), 'vulntune-data-'));
		await write('train.csv', 'code,target');
		expect((await failure(loadDataset(folder))).remedy).toContain(
			'JSONL, one JSON object a line; found train.csv',
		);
	});

	it('has the hash of its contents, in a folder and in an archive alike', async () => {
		const first = await loadDataset(folder);
		const archive = path.join(folder, 'data.tar.gz');
		await create({ gzip: true, file: archive, cwd: path.dirname(folder) }, [path.basename(folder)]);
		const archived = await loadDataset(archive);
		expect(archived).toEqual({ ...first, location: archive });
		await write('test.jsonl', good.replace('5', '6'));
		expect((await loadDataset(folder)).hash).not.toBe(first.hash);
	});
});

const x1 = needsShared('data/x1-without-p3');
describe.skipIf(x1.skip)('X1 without P3', () => {
	it('is read row by row in its order', async () => {
		const { splits } = await loadDataset(x1.path);
		for (const split of splitNames) {
			const lines = (await readFile(path.join(x1.path, `${split}.jsonl`), 'utf8')).trimEnd().split('\n');
			const rows = lines.map((line) => JSON.parse(line));
			expect(splits[split].map(({ id, label, code }) => [id, label, code])).toEqual(
				rows.map(({ idx, target, code }) => [idx, target, code]),
			);
			expect(splits[split].map(({ commit, status }) => [commit, status])).toEqual(
				rows.map(({ commit, status }) => [commit, status]),
			);
		}
	});
});
