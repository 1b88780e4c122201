import { globSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tinyShapes, writeTinyModel } from '../tiny.ts';
import { projectRoot } from './command-line.ts';
import { createProject } from './project.ts';
import { vulntuneHere } from './same-process.ts';

const project = createProject();
/** As many blocks as SmolLM2-135M, some of which a grid names. */
const shape = { ...tinyShapes.llama, num_hidden_layers: 30 };
const thirtyBlocks = writeTinyModel(project.inside('thirty-blocks'), shape);
const configs = globSync('configs/**/*.yaml', { cwd: projectRoot }).toSorted();
const grids = configs.filter((file) => path.dirname(file) === path.join('configs', 'experiments'));
const ofTraining = configs.filter(
	(file) => !file.startsWith(path.join('configs', 'pretraining')) && !grids.includes(file),
);
const options = { cwd: projectRoot };

describe('a dry run', () => {
	it.each(ofTraining)('plans %s where weights and data are absent', async (file) => {
		const absent = ['--data.path', project.inside('absent')];
		const argv = ['train', file, ...absent, '--output', project.inside('out'), '--dry-run', '--json'];
		const { code, stdout, stderr } = await vulntuneHere(argv, options);
		expect(code, stderr).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			model: { source: 'published' },
			data: { missing: project.inside('absent') },
			seconds: null,
		});
	});

	it.each(ofTraining.slice(-1))('plans %s with weights and data', async (file) => {
		const folders = ['--model', project.model, '--data.path', project.data];
		const argv = ['train', file, ...folders, '--output', project.inside('out'), '--dry-run'];
		const { code, stdout } = await vulntuneHere(argv, options);
		expect(code).toBe(0);
		for (const line of ['trainable', 'packs', 'steps', 'memory', 'time', 'output']) {
			expect(stdout).toMatch(new RegExp(`^${line} +\\S`, 'm'));
		}
		expect(stdout).toMatch(/^train +12 functions, 50\.0 % vulnerable; tokens: median \d/m);
		expect(stdout).not.toContain('The config says');
	});

	it.each(grids)('plans %s where data is absent', async (file) => {
		const model = file.endsWith('-cpu.yaml') ? ['--model', thirtyBlocks] : [];
		const argv = [
			'experiment',
			'run',
			file,
			...model,
			'--output',
			project.inside('out'),
			'--dry-run',
			'--json',
		];
		const { code, stdout, stderr } = await vulntuneHere(argv, options);
		expect(code, stderr).toBe(3);
		const { cells } = JSON.parse(stdout);
		expect(cells.length).toBeGreaterThan(2);
		for (const cell of cells) expect(cell, cell.name).toMatchObject({ finished: false, error: null });
	});

	it('says what a config says of its model, data and hardware where they are absent', async () => {
		const argv = ['train', ofTraining[0]!, '--data.path', project.inside('absent'), '--dry-run'];
		const { stdout } = await vulntuneHere(argv, options);
		expect(stdout).toMatch(
			/^The config says:\n(.+\n)* {2}Model: huggingface\.co.+\n {2}Data: .+\n(.+\n)* {2}Hardware: /m,
		);
	});

	it('writes nothing', () => {
		expect(globSync('out*', { cwd: project.root })).toEqual([]);
	});
});
