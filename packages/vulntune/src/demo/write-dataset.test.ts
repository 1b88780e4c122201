import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadDataset } from '../data/dataset.ts';
import { generateDemoDataset } from './dataset.ts';
import { writeDemoDataset } from './write-dataset.ts';

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(path.join(tmpdir(), 'vulntune-demo-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = { seed: 3, pairs: 40 };
const dataset = generateDemoDataset(options);

test('each line of the files is a row', () => {
	const target = path.join(folder, 'a', 'b');
	writeDemoDataset(target, dataset, options);
	for (const split of ['train', 'valid', 'test'] as const) {
		const lines = readFileSync(path.join(target, `${split}.jsonl`), 'utf8')
			.trimEnd()
			.split('\n');
		expect(lines.map((line) => JSON.parse(line))).toEqual(dataset[split]);
	}
});

test('the README says that the rows are synthetic, and how they were made', () => {
	writeDemoDataset(folder, dataset, options);
	const readme = readFileSync(path.join(folder, 'README.md'), 'utf8');
	expect(readme).toContain('# Synthetic');
	expect(readme).toContain('Seed 3, 40 pairs');
	expect(readme).toContain(`| train | ${dataset.train.length} | ${dataset.train.length / 2} |`);
});

test('a file where the folder should be is reported as such', () => {
	const file = path.join(folder, 'taken');
	writeFileSync(file, '');
	expect(() => writeDemoDataset(path.join(file, 'x'), dataset, options)).toThrow(
		expect.objectContaining({ code: 'FOLDER_REFUSED', kind: 'input' }),
	);
});

test('the folder is read as a dataset', async () => {
	writeDemoDataset(folder, dataset, options);
	const { splits } = await loadDataset(folder);
	expect(splits.valid.map(({ id, code, label, commit }) => ({ id, code, label, commit }))).toEqual(
		dataset.valid.map(({ idx, code, target, commit }) => ({ id: idx, code, label: target, commit })),
	);
});
