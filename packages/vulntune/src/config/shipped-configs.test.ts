import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { headComment } from './head-comment.ts';
import { loadConfig } from './load.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');
// those of `vulntune pretrain`, and grids, have a schema and a test of their own
const files = globSync('configs/**/*.yaml', { cwd: root })
	.filter((file) => !['pretraining', 'experiments'].includes(path.basename(path.dirname(file))))
	.toSorted();

describe('shipped configs', () => {
	it('include the six QLoRA rows of the paper', () => {
		const rows = files
			.filter((file) => path.dirname(file) === path.join('configs', 'paper'))
			.map((file) => loadConfig(file, { workingFolder: root }))
			.map(
				({ data, sequence }) => `${path.basename(data.path)} ${sequence.length} ${sequence.largeFunctions}`,
			);
		expect(rows.toSorted()).toEqual([
			'x1-with-p3-rebuilt 256 ignore',
			'x1-with-p3-rebuilt 512 ignore',
			'x1-with-p3-rebuilt 512 truncate',
			'x1-without-p3 256 ignore',
			'x1-without-p3 512 ignore',
			'x1-without-p3 512 truncate',
		]);
	});

	it.each(files)('%s says where its model and data come from and what it needs', (file) => {
		const comment = headComment(readFileSync(path.join(root, file), 'utf8')).join('\n');
		const { model } = loadConfig(file, { workingFolder: root });
		expect(comment).toMatch(/^Model: huggingface\.co\/\S+, [\d.]+ GB, .+; download/m);
		if (!path.isAbsolute(model)) expect(comment).toContain(`huggingface.co/${model},`);
		expect(comment).toMatch(/^Data: /m);
		expect(comment).toMatch(/^Hardware: [\d.]+ GiB of free memory/m);
		expect(comment).toContain(`vulntune train ${file} --model FOLDER --data.path FOLDER`);
	});

	it.each(files)('%s is a valid config', (file) => {
		expect(loadConfig(file, { workingFolder: root }).data.path).toMatch(/^\/.*\/data\/x1-/);
	});
});
