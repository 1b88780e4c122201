import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { dealFolds } from '../cross-validation/deal-folds.ts';
import { readFold } from '../cross-validation/fold-folder.ts';
import { crossValidate } from '../cross-validation/run-cross-validation.ts';
import { planCrossValidation, renderCrossValidationPlan } from './plan-cross-validation.ts';
import type { NgramPlan } from './plan-ngram.ts';
import { planTraining, type TrainingPlan } from './plan-training.ts';

const root = temporaryFolder();
const inside = (name: string) => path.join(root, name);
const model = writeTinyModel(inside('model'));
const data = writeTinyDataset(inside('data'), { train: 24, valid: 6, test: 6 });
const request = (output: string, overrides: Readonly<Record<string, string>> = {}, repeats = 1) => ({
	config: tinyConfig({ model, data, output: inside(output) }, overrides),
	...{ folds: 2, repeats, similarity: 0.9 },
});
const plan = (asked: ReturnType<typeof request>, notes: string[] = []) =>
	planCrossValidation(asked, (line) => notes.push(line));
const ngram = { 'method.type': 'ngram' };

describe('the plan of a cross-validation', () => {
	it('is that of its folds as they would be trained, and writes nothing', async () => {
		const asked = request('planned', {}, 3);
		const found = await plan(asked);
		expect(found).toMatchObject({ functions: 36, folds: 2, repeats: 3, runs: 6, finished: 0 });
		expect(found.byFold.map(({ train, valid, test }) => train + valid + test)).toEqual([36, 36]);
		expect(found.byFold[0]!.test + found.byFold[1]!.test).toBe(36);
		const largest = found.largest.plan as TrainingPlan;
		const { train } = found.byFold[found.largest.fold - 1]!;
		expect(largest.data).toMatchObject({ rows: { train }, tokens: 'counted' });
		expect(largest.memoryBytes.total).toBeGreaterThan(0);
		// six runs of about 13 functions to learn from are less than seven of all 24
		const whole = await planTraining(asked.config);
		expect(found.seconds! / whole.seconds!.total).toBeGreaterThan(1.5);
		expect(found.seconds! / whole.seconds!.total).toBeLessThan(7);
		expect(existsSync(inside('planned'))).toBe(false);
		const text = renderCrossValidationPlan(found);
		expect(text).toMatch(/^rows +36 functions in \d+ groups/);
		expect(text).toContain('2, each held out once, 3 times: 6 runs\n');
		expect(text).toMatch(/^fold 2 +\d+ functions to learn from, \d+ to choose by, \d+ held out$/m);
		expect(text).toMatch(/^time +.* for the runs that are left$/m);
		expect(text).toMatch(/which takes the most memory:\n\nmodel /);
	});

	it('counts the runs that are done', async () => {
		const asked = request('done', ngram);
		const interruption = new AbortController();
		const note = (line: string) => void (line === 'fold 2 of 2' && interruption.abort());
		const listener = { note, event: () => {}, interruption: interruption.signal };
		await expect(crossValidate(asked, listener)).rejects.toMatchObject({ code: 'INTERRUPTED' });
		const found = await plan(asked);
		expect(found).toMatchObject({ runs: 2, finished: 1, seconds: null });
		expect((found.largest.plan as NgramPlan).data).toHaveProperty('characters');
		expect(renderCrossValidationPlan(found)).toContain('2 runs, 1 of them done');
		await expect(plan({ ...asked, folds: 3 })).rejects.toMatchObject({ code: 'CROSS_VALIDATION_OTHER' });
	});

	it('has the rows of each fold', async () => {
		const { byFold } = await plan({ ...request('five', ngram), folds: 5 });
		expect(byFold.reduce((sum, { test }) => sum + test, 0)).toBe(36);
	});

	it('takes no time where every run is done', async () => {
		const asked = request('all-done');
		const { identity, foldersOf } = await dealFolds(asked, () => {});
		for (const { run } of foldersOf.flat()) {
			mkdirSync(run, { recursive: true });
			writeFileSync(path.join(run, 'comparison.json'), '{}');
		}
		writeFileSync(inside('all-done/cross-validation.json'), JSON.stringify({ identity }));
		const found = await plan(asked);
		expect(found).toMatchObject({ runs: 2, finished: 2, seconds: 0 });
		expect(renderCrossValidationPlan(found)).toContain('no run is left');
		writeFileSync(inside('all-done/cross-validation.json'), '{}');
		await expect(plan(asked)).rejects.toMatchObject({ code: 'RUN_FILE' });
		expect(() => readFold(foldersOf[0]![0]!)).toThrow(
			expect.objectContaining({ code: 'RUN_FILE', place: foldersOf[0]![0]!.run }),
		);
	});

	it('refuses what a cross-validation refuses', async () => {
		mkdirSync(inside('mine'));
		writeFileSync(inside('mine/notes.txt'), 'mine');
		await expect(plan(request('mine', ngram))).rejects.toMatchObject({ code: 'OUTPUT_TAKEN' });
		writeFileSync(inside('file'), 'mine');
		await expect(plan(request('file', ngram))).rejects.toMatchObject({ code: 'OUTPUT_NOT_FOLDER' });
		await expect(plan({ ...request('many', ngram), folds: 30 })).rejects.toMatchObject({
			code: 'CROSS_VALIDATION_FOLDS',
		});
		const { config, ...rest } = request('from');
		const from = { ...config, method: { ...config.method, from: inside('adapter') } };
		await expect(plan({ ...rest, config: from })).rejects.toMatchObject({ code: 'CROSS_VALIDATION_FROM' });
	});
});
