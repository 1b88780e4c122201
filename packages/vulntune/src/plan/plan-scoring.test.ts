import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
	temporaryFolder,
	tinyConfig,
	tinyShapes,
	writeTinyDataset,
	writeTinyModel,
} from '../../../../tests/tiny.ts';
import { runNgram } from '../fine-tuning/run-ngram.ts';
import { runTraining } from '../fine-tuning/run-training.ts';
import { planEvaluation, planZeroShot, renderScoringPlan } from './plan-scoring.ts';

const root = temporaryFolder();
const inside = (name: string) => path.join(root, name);
const model = writeTinyModel(inside('model'));
const data = writeTinyDataset(inside('data'), { train: 6, valid: 4, test: 8 });
const runs = { lora: inside('lora'), full: inside('full'), ngram: inside('ngram') };
const overrides = { lora: {}, full: { 'method.dropout': '0' }, ngram: {} };

beforeAll(async () => {
	const mode = { resume: false, overwrite: false };
	const signals = { emit: () => {}, interrupted: () => false };
	for (const [type, output] of Object.entries(runs)) {
		const own = { 'method.type': type, 'training.epochs': '1', ...overrides[type as keyof typeof runs] };
		const config = tinyConfig({ model, data, output }, type === 'ngram' ? { 'method.type': type } : own);
		await (type === 'ngram' ? runNgram : runTraining)(config, mode, signals);
	}
});

const options = { data: undefined, split: 'test', precision: undefined } as const;
const plan = (run: keyof typeof runs, more: Partial<Parameters<typeof planEvaluation>[1]> = {}) =>
	planEvaluation(runs[run], { ...options, ...more }, () => {});

describe('the plan of an evaluation', () => {
	it('counts what is scored, by the model that is scored with', async () => {
		const found = await plan('lora');
		expect(found).toMatchObject({
			...{ method: 'lora', base: 'fp32', precision: 'fp32', baselines: true },
			scored: [{ split: 'test', functions: 8, vulnerable: 4, truncated: 0 }],
			passes: { forward: 1, lines: [] },
		});
		expect(found.backend).toMatch(/^reference/);
		const valid = await plan('lora', { split: 'valid' });
		expect(valid.scored[0]).toMatchObject({ split: 'valid', functions: 4 });
		expect(valid.scored[0]!.tokens!).toBeLessThan(found.scored[0]!.tokens!);
		// as fast as that of the other split, measured once
		expect(valid.seconds! / found.seconds!).toBeCloseTo(
			valid.scored[0]!.tokens! / found.scored[0]!.tokens!,
			6,
		);
		const text = renderScoringPlan(found);
		expect(text).toMatch(/^method +lora on a base in fp32, computed in fp32$/m);
		expect(text).toMatch(/^test +8 functions, 4 vulnerable; \d+ tokens in \d+ sequences$/m);
		expect(text).toMatch(/^memory +about .*\nbackend +reference.*\ntime /m);
		expect((await plan('full')).base).toBe('fp32');
	});

	it('counts a second scoring where the run keeps none to compare with', async () => {
		const kept = await plan('lora', { precision: 'bf16' });
		expect(kept).toMatchObject({ precision: 'bf16', passes: { forward: 1 } });
		const unkept = await plan('lora', { precision: 'bf16', split: 'train' });
		expect(unkept.passes.forward).toBe(2);
		expect(renderScoringPlan(unkept)).toContain('scored twice');
		const perToken = ({ seconds, scored }: typeof kept) => seconds! / scored[0]!.tokens!;
		expect(perToken(unkept) / perToken(kept)).toBeCloseTo(2, 6);
	});

	it('knows that lines take memory and time', async () => {
		// no function of the dataset has a fix that changes a line
		await expect(plan('lora', { lines: true })).rejects.toMatchObject({ code: 'LINES_UNKNOWN' });
		const pairs = inside('pairs');
		mkdirSync(pairs);
		const lines = [1, 0].map((target) => {
			const code = `int f() {\n  ${target === 1 ? 'use' : 'check'}(a);\n  return a;\n}`;
			return `${JSON.stringify({ idx: target, code, target, commit: 'c', function_name: 'f' })}\n`;
		});
		writeFileSync(path.join(pairs, 'test.jsonl'), lines.join(''));
		const alone = await plan('lora', { data: pairs });
		const explained = await plan('lora', { data: pairs, lines: true });
		expect(explained.passes.lines).toEqual(['gradient']);
		expect(explained.memoryBytes!.activations).toBeGreaterThan(alone.memoryBytes!.activations);
		expect(explained.seconds!).toBeGreaterThan(2 * alone.seconds!);
		expect(renderScoringPlan(explained)).toMatch(/^lines +scored besides, by gradient$/m);
	});

	it('says what the reader of its numbers must know, and what does not fit', async () => {
		const unfinished = inside('unfinished');
		cpSync(runs.lora, unfinished, { recursive: true });
		writeFileSync(path.join(unfinished, 'metrics.jsonl'), '');
		const notes: string[] = [];
		const found = await planEvaluation(unfinished, options, (line) => notes.push(line));
		expect(notes).toEqual([expect.stringMatching(/^The run is not finished\./)]);
		expect(renderScoringPlan(found)).not.toContain('more than this machine has');
		expect(renderScoringPlan({ ...found, availableBytes: 2 ** 20 })).toMatch(
			/^ +more than this machine has \(1\.0 MiB\)$/m,
		);
	});

	it('has no model for n-grams', async () => {
		const found = await plan('ngram');
		expect(found).toMatchObject({ method: 'ngram', model: null, memoryBytes: null, seconds: null });
		expect(renderScoringPlan(found)).toBe(
			'method    ngram\ntest      8 functions, 4 vulnerable\nbaselines length and n-grams, fitted on the training functions\ntime      seconds',
		);
	});

	it('refuses what an evaluation refuses', async () => {
		await expect(plan('ngram', { precision: 'bf16' })).rejects.toMatchObject({ code: 'USAGE' });
		await expect(plan('lora', { data: inside('nowhere') })).rejects.toMatchObject({
			code: 'DATASET_NOT_FOUND',
		});
	});
});

describe('the plan of an untuned model', () => {
	const reference = { 'backend.type': 'reference', 'nextToken.positive': 'Y', 'nextToken.negative': 'N' };
	const zeroShot = (split: 'valid' | 'test', more: object = {}) =>
		planZeroShot({ model, data, split, precision: 'fp32', overrides: reference, ...more }, () => {});

	it('scores validation for the threshold, and once', async () => {
		const found = await zeroShot('test');
		expect(found.scored.map(({ split, functions }) => [split, functions])).toEqual([
			['valid', 4],
			['test', 8],
		]);
		expect(found).toMatchObject({ method: 'zero-shot', precision: 'fp32', baselines: true });
		expect((await zeroShot('valid')).scored.map(({ split }) => split)).toEqual(['valid']);
	});

	it('is of one that gives next tokens', async () => {
		const encoder = writeTinyModel(inside('encoder'), tinyShapes.roberta);
		const overrides = { ...reference, 'sequence.length': '120' };
		await expect(zeroShot('test', { model: encoder, overrides })).rejects.toMatchObject({
			code: 'MODEL_HEAD_MISSING',
		});
	});
});
