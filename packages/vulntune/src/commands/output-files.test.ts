import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder, writeTinyDataset } from '../../../../tests/tiny.ts';
import { datasetCommands } from './run-dataset-commands.ts';
import { experimentCommands } from './run-experiment-commands.ts';

const root = temporaryFolder();
const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });
const rows = path.join(data, 'test.jsonl');
const before = readFileSync(rows, 'utf8');
const context = {} as never;
const taken = { code: 'OUTPUT_TAKEN', place: rows };

it('an audit replaces an earlier one, and never a dataset', async () => {
	const audit = (html: string) =>
		datasetCommands.audit({ location: data, html, projects: null, onBadRow: 'error' }, context);
	await expect(audit(rows)).rejects.toMatchObject(taken);
	expect(readFileSync(rows, 'utf8')).toBe(before);
	const page = path.join(root, 'audit.html');
	await audit(page);
	await expect(audit(page)).resolves.toBeDefined();
	const other = path.join(root, 'report.html');
	writeFileSync(other, readFileSync(page, 'utf8').replace('<title>Leak audit of ', '<title>Run '));
	await expect(audit(other)).rejects.toMatchObject({ code: 'OUTPUT_TAKEN' });
});

it('an exported study never replaces a dataset', async () => {
	const exported = experimentCommands().export(
		{ study: path.join(root, 'study'), format: 'csv', output: rows },
		context,
	);
	await expect(exported).rejects.toMatchObject(taken);
	expect(readFileSync(rows, 'utf8')).toBe(before);
});
