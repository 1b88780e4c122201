import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { headComment } from '../../config/head-comment.ts';
import { loadConfig } from '../../config/load.ts';
import { loadGrid } from './load-grid.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../../..');
const files = globSync('configs/experiments/*.yaml', { cwd: root }).toSorted();
const load = (file: string) => loadGrid(file, { workingFolder: root });
const names = files.map((file) => path.basename(file, '.yaml'));

describe('shipped grids', () => {
	it('are there for the paper’s base and for a CPU', () => {
		const originals = names.filter((name) => !name.endsWith('-cpu'));
		expect(originals).toEqual([
			...['large-functions', 'losses', 'methods', 'more-data', 'packing', 'pooling', 'quantisation', 'rank'],
			...['sequence-length', 'table1'],
		]);
		for (const name of originals) expect(names).toContain(`${name}-cpu`);
	});

	it.each(files)('%s says what it asks, what it needs and how it is run', (file) => {
		const comment = headComment(readFileSync(path.join(root, file), 'utf8')).join('\n');
		expect(comment).toMatch(/^Model: huggingface\.co\//m);
		expect(comment).toMatch(/^Data: /m);
		expect(comment).toContain(`vulntune experiment run ${file} --output studies/`);
		const { cells, name } = load(file);
		expect(name).toBe(path.basename(file, '.yaml'));
		const bases = new Set(cells.map(({ config }) => path.basename(config.model)));
		expect([...bases]).toEqual([file.endsWith('-cpu.yaml') ? 'smollm2-135m' : 'WizardCoder-Python-13B-V1.0']);
	});

	it('table1 has the eight rows of the paper, and its CPU editions have the same', () => {
		const rowsOf = (...files: readonly string[]) => {
			const cells = files.flatMap((file) => load(`configs/experiments/${file}.yaml`).cells);
			const rows = cells.map(({ config: { data, sequence, method } }) =>
				[path.basename(data.path), sequence.length, sequence.largeFunctions, method.type].join(' '),
			);
			return [...new Set(rows)].toSorted();
		};
		const rows = rowsOf('table1');
		expect(rows).toEqual([
			...['x1-with-p3-rebuilt 2048 truncate lora', 'x1-with-p3-rebuilt 256 ignore qlora'],
			...['x1-with-p3-rebuilt 512 ignore qlora', 'x1-with-p3-rebuilt 512 truncate qlora'],
			...['x1-without-p3 2048 truncate lora', 'x1-without-p3 256 ignore qlora'],
			...['x1-without-p3 512 ignore qlora', 'x1-without-p3 512 truncate qlora'],
		]);
		expect(rowsOf('table1-cpu', 'table1-with-p3-cpu')).toEqual(rows);
	});

	it('table1 trains as the configs of its rows do', () => {
		const { cells } = load('configs/experiments/table1.yaml');
		const configs = globSync('configs/paper/*.yaml', { cwd: root }).map((file) =>
			loadConfig(path.join(root, file)),
		);
		for (const config of configs) {
			const { output: _output, ...expected } = config;
			const found = cells.map(({ config: { output, ...own } }) => own);
			expect(found).toContainEqual(expected);
		}
	});
});
