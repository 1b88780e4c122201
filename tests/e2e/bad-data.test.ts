import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { expectRefusal } from './refusal.ts';
import { vulntuneHere } from './same-process.ts';

const project = createProject();

/** A copy of the dataset whose training rows (1-based lines) are replaced. */
function dataset(name: string, lines: Readonly<Record<number, string | Uint8Array>>): string {
	const folder = project.inside(name);
	cpSync(project.data, folder, { recursive: true });
	const file = path.join(folder, 'train.jsonl');
	const rows = readFileSync(file, 'utf8').trimEnd().split('\n');
	const replaced = rows.map((row, index) => Buffer.from(lines[index + 1] ?? row));
	writeFileSync(file, Buffer.concat(replaced.flatMap((row) => [row, Buffer.from('\n')])));
	return name;
}

const row = (fields: object) =>
	JSON.stringify({ idx: 900, code: 'int f() { return 1; }', target: 1, ...fields });

const cases: [name: string, data: string, code: string, says: (string | RegExp)[]][] = [
	['a folder that is not there', 'absent', 'DATASET_NOT_FOUND', ['absent: ', 'Set data.path to']],
	[
		'a line that is no JSON',
		dataset('json', { 7: '{"idx": 6, "code": ' }),
		'DATASET_INVALID',
		['train.jsonl:7: broken JSON'],
	],
	[
		'a label other than 0 or 1',
		dataset('label', { 3: row({ target: 2 }) }),
		'DATASET_INVALID',
		['train.jsonl:3: target: expected 0 or 1, found 2'],
	],
	[
		'a label as text',
		dataset('text', { 3: row({ target: '1' }) }),
		'DATASET_INVALID',
		['train.jsonl:3: target: expected 0 or 1, found "1"'],
	],
	[
		'an empty function',
		dataset('empty', { 5: row({ code: ' \n\t' }) }),
		'DATASET_INVALID',
		['train.jsonl:5: code: the function is empty'],
	],
	[
		'an id that is there twice',
		dataset('twice', { 4: row({ idx: 0 }) }),
		'DATASET_INVALID',
		['train.jsonl:4: id 0 is already that of line 1'],
	],
	[
		'bytes that are no UTF-8',
		dataset('bytes', { 6: Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d) }),
		'DATASET_INVALID',
		['train.jsonl:6: the line is not valid UTF-8'],
	],
	[
		'several wrong rows at once',
		dataset('several', { 2: '[]', 9: row({ code: undefined }) }),
		'DATASET_INVALID',
		['train.jsonl:2: expected an object', 'train.jsonl:9: missing field code'],
	],
];

describe('refuses a dataset with', () => {
	it.each(cases)('%s', async (_name, data, code, says) => {
		const argv = ['train', 'config.yaml', '--data.path', data, '--output', 'out'];
		await expectRefusal(project, { argv, code, says });
	});

	it('a wrong row, on the thread and in the process that a user has', async () => {
		const [, data, code, says] = cases.find(([name]) => name === 'a label as text')!;
		const argv = ['train', 'config.yaml', '--data.path', data, '--output', 'out'];
		await expectRefusal(project, { argv, code, says }, vulntune);
	});

	it('training functions of one class, before it trains', async () => {
		const [folder, row] = [dataset('one-class', {}), { idx: 1, code: 'int f() { return 1; }', target: 0 }];
		writeFileSync(path.join(project.inside(folder), 'train.jsonl'), `${JSON.stringify(row)}\n`);
		const argv = ['train', 'config.yaml', '--data.path', folder, '--output', 'out'];
		const says = ['train.jsonl: expected functions of both classes', 'Add functions with the other target'];
		await expectRefusal(project, { argv, code: 'TRAIN_ONE_CLASS', says });
	});

	it('training functions that are all too long', async () => {
		const long = ['--sequence.length', '4', '--sequence.largeFunctions', 'ignore'];
		const says = ['sequence.length: all 12 training functions', 'truncate or window'];
		const argv = ['train', 'config.yaml', ...long, '--output', 'out'];
		await expectRefusal(project, { argv, code: 'TRAIN_NOTHING_FITS', says });
	});

	it('a split that is missing', async () => {
		rmSync(path.join(project.inside(dataset('missing', {})), 'valid.jsonl'));
		const argv = ['train', 'config.yaml', '--data.path', 'missing', '--output', 'out'];
		const says = ['missing: valid.jsonl is missing', 'Found test.jsonl, train.jsonl'];
		await expectRefusal(project, { argv, code: 'DATASET_NOT_FOUND', says });
	});

	it('a split without rows', async () => {
		writeFileSync(path.join(project.inside(dataset('rowless', {})), 'test.jsonl'), '\n');
		const argv = ['train', 'config.yaml', '--data.path', 'rowless', '--output', 'out'];
		await expectRefusal(project, { argv, code: 'DATASET_EMPTY', says: ['test.jsonl holds no rows'] });
	});

	it('an archive that is none', async () => {
		mkdirSync(project.inside('archives'));
		writeFileSync(project.inside('archives/rows.tar.gz'), 'not compressed');
		const argv = ['train', 'config.yaml', '--data.path', 'archives/rows.tar.gz', '--output', 'out'];
		await expectRefusal(project, { argv, code: 'ARCHIVE_DAMAGED', says: ['archives/rows.tar.gz: '] });
	});
});

describe('data.onBadRow: skip', () => {
	it.each(['lora', 'ngram'])(
		'trains %s without the bad rows, tells which, and keeps the list',
		async (type) => {
			const data = dataset(`skipped-${type}`, { 5: row({ code: ' ' }) });
			const argv = ['train', 'config.yaml', '--data.path', data, '--data.onBadRow', 'skip', '--output', type];
			const { code, stderr } = await vulntuneHere([...argv, '--method.type', type], { cwd: project.root });
			expect(code).toBe(0);
			const fault = { place: 'train.jsonl:5', message: 'code: the function is empty' };
			expect(stderr).toContain(
				'left out 1 row (data.onBadRow: skip): train.jsonl:5: code: the function is empty',
			);
			const record = JSON.parse(readFileSync(path.join(project.root, type, 'data.json'), 'utf8'));
			expect(record.leftOut).toEqual({ rows: 1, faults: [fault] });
			expect(record.splits.train).toMatchObject({
				functions: 11,
				tokens: type === 'ngram' ? null : { functions: 11 },
			});

			const scored = await vulntuneHere(['evaluate', type, '--split', 'train', '--json'], {
				cwd: project.root,
			});
			expect(JSON.parse(scored.stdout)).toMatchObject({
				caution: expect.stringContaining('Left out 1 row'),
			});
		},
	);
});
