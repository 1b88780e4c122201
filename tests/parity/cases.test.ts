import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadTokenizer, VulntuneError } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { runTraining } from 'vulntune';
import { evaluateRun } from '../../packages/vulntune/src/evaluation/evaluate-run.ts';
import { needsShared } from '../shared.ts';
import { temporaryFolder, testBackend, tinyConfig } from '../tiny.ts';

const shared = needsShared('cases');
const root = temporaryFolder();

/** Whether an error is a refusal that says where and what to do: as good as the right value. */
function isRefusal(error: unknown): boolean {
	return error instanceof VulntuneError && error.kind === 'input' && !!error.place && !!error.remedy;
}

describe.skipIf(shared.skip)('files from elsewhere', () => {
	if (shared.skip) return;
	cpSync(shared.path, root, { recursive: true });
	for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
		if (!file.endsWith('.json')) continue;
		const text = readFileSync(path.join(root, file), 'utf8');
		if (text.includes('@CASES@')) writeFileSync(path.join(root, file), text.replaceAll('@CASES@', root));
	}
	const names = readdirSync(root).filter((name) => /^\d/.test(name));
	const holding = (part: string) => names.filter((name) => existsSync(path.join(root, name, part)));
	const data = path.join(root, '_data');

	it.each(holding('expected.json'))('%s scores as PEFT does, or is refused', async (name) => {
		const right = JSON.parse(readFileSync(path.join(root, name, 'expected.json'), 'utf8'));
		const options = { data, split: 'test', precision: undefined } as const;
		const scored = await evaluateRun(
			path.join(root, name, 'adapter'),
			options,
			() => {},
			() => {},
		).catch((error: unknown) => {
			expect(isRefusal(error), String(error)).toBe(true);
		});
		if (scored === undefined) return;
		scored.rows.forEach((row, index) => {
			expect(Math.abs(scored.probabilities[index]! - right[row.id])).toBeLessThan(2e-3);
		});
	});

	it.each(holding('texts.json'))(
		'%s gives the ids of the reference implementation, or is refused',
		(name) => {
			const texts = JSON.parse(readFileSync(path.join(root, name, 'texts.json'), 'utf8'));
			let tokenizer: ReturnType<typeof loadTokenizer> | undefined;
			try {
				tokenizer = loadTokenizer(path.join(root, name));
			} catch (error) {
				expect(isRefusal(error), String(error)).toBe(true);
			}
			if (tokenizer === undefined) return;
			for (const { text, ids } of texts) expect([...tokenizer.encode(text)], text).toEqual(ids);
		},
	);

	const bases = holding('base').filter((name) => !existsSync(path.join(root, name, 'expected.json')));
	it.each(bases)('%s trains; a damaged weight is named', async (name) => {
		const output = path.join(root, 'run');
		rmSync(output, { recursive: true, force: true });
		const short = { 'training.epochs': '1', 'sequence.length': '256', 'backend.type': testBackend };
		const config = tinyConfig({ model: path.join(root, name, 'base'), data, output }, short);
		const run = runTraining(
			config,
			{ resume: false, overwrite: false },
			{ emit() {}, interrupted: () => false },
		);
		if (name.includes('nan')) await expect(run).rejects.toThrow(/_proj\.weight holds NaN/);
		else expect((await run).status).toBe('finished');
	});
});
