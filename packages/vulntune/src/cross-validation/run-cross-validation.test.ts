import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesOf } from '../../../../tests/files.ts';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import type { Config } from '../config/schema.ts';
import { readPredictions } from '../evaluation/predictions.ts';
import type { TrainingEvent } from '../fine-tuning/run-events.ts';
import { foldConfig, foldFolder } from './fold-folder.ts';
import { crossValidate } from './run-cross-validation.ts';

const root = temporaryFolder();
const inside = (name: string) => path.join(root, name);
writeTinyDataset(inside('data'), { train: 24, valid: 6, test: 6 });
const configOf = (output: string, overrides: Readonly<Record<string, string>> = {}): Config =>
	tinyConfig(
		{ model: root, data: inside('data'), output: inside(output) },
		{ 'method.type': 'ngram', ...overrides },
	);

function run(config: Config, folds = 2, stopAt?: string) {
	const interruption = new AbortController();
	const notes: string[] = [];
	const note = (line: string) => {
		notes.push(line);
		if (line === stopAt) interruption.abort();
	};
	const listener = { note, event: () => {}, interruption: interruption.signal };
	return { notes, result: crossValidate({ config, folds, repeats: 1, similarity: 0.9 }, listener) };
}

describe('a cross-validation', () => {
	it('scores every row once, and goes on to the same bytes after it was stopped', async () => {
		const whole = run(configOf('whole'));
		const { rows, crossValidation } = await whole.result;
		expect(rows.map(({ name }) => name)).toEqual(['ngram', 'all-positive', 'length']);
		expect(rows[0]!.evaluation.counts.functions).toBe(36);
		expect(crossValidation.detectors[0]!.rocAucByFold[0]).toHaveLength(2);
		expect(whole.notes[0]).toMatch(
			/^36 functions in \d+ groups of projects and near-duplicates, dealt to 2 folds/,
		);

		const predictions = await readPredictions(inside('whole/predictions.oof.jsonl'));
		expect(new Set(predictions.map(({ id }) => id)).size).toBe(36);
		expect(new Set(predictions.map(({ fold }) => fold))).toEqual(new Set([1, 2]));
		for (const { cluster, fold } of predictions) {
			expect(predictions.every((other) => other.cluster !== cluster || other.fold === fold)).toBe(true);
		}

		// a process that is killed leaves what it was writing: at first the record itself
		mkdirSync(inside('stopped'));
		writeFileSync(inside('stopped/cross-validation.json.99-0123abcd.partial'), '{"sch');
		const stopped = run(configOf('stopped'), 2, 'fold 2 of 2');
		await expect(stopped.result).rejects.toMatchObject({ code: 'INTERRUPTED' });
		writeFileSync(inside('stopped/folds/1-2/data/train.jsonl.99-0123abcd.partial'), '{"id":');
		await run(configOf('stopped')).result;
		const results = (output: string) =>
			Object.entries(filesOf(inside(output))).filter(([name]) =>
				/oof|fold.*(predictions|adapter|data\/)/.test(name),
			);
		expect(results('stopped')).toEqual(results('whole'));
		expect(results('whole').length).toBeGreaterThan(10);
		expect(Object.keys(filesOf(inside('stopped'))).filter((name) => name.includes('.partial'))).toEqual([]);
	});

	it('goes on with nothing else, and takes no folder of others', async () => {
		const before = filesOf(inside('whole'));
		await expect(run(configOf('whole'), 3).result).rejects.toMatchObject({ code: 'CROSS_VALIDATION_OTHER' });
		const other = configOf('whole', { 'training.seed': '7' });
		await expect(run(other).result).rejects.toMatchObject({ code: 'CROSS_VALIDATION_OTHER' });
		expect(filesOf(inside('whole'))).toEqual(before);
		mkdirSync(inside('mine'));
		writeFileSync(inside('mine/notes.txt'), 'mine');
		await expect(run(configOf('mine')).result).rejects.toMatchObject({ code: 'OUTPUT_TAKEN' });
		for (const [place, damaged] of ['{"identity":', 'null'].entries()) {
			const name = `damaged-${place}`;
			mkdirSync(inside(name));
			writeFileSync(inside(`${name}/cross-validation.json`), damaged);
			await expect(run(configOf(name)).result).rejects.toMatchObject({ code: 'RUN_FILE' });
		}
	});

	it('trains each repeat from another seed, on rows that are apart already', () => {
		const config = configOf('repeats', { 'training.seed': '5', 'data.dropNearDuplicates': 'true' });
		const folder = foldFolder(config.output, 2, 1);
		const found = foldConfig(config, folder, { repeat: 2, similarity: 0.9 });
		expect(found.training.seed).toBe(7);
		expect(found.data).toMatchObject({ path: folder.data, dropNearDuplicates: false });
		expect(found.output).toBe(inside('repeats/folds/3-2/run'));
	});

	it('keeps near-duplicates from the n-grams that a head sees as it keeps them in one fold', () => {
		const own = (overrides: Readonly<Record<string, string>>) => {
			const config = configOf('stacked', { 'method.type': 'head', ...overrides });
			const folder = foldFolder(config.output, 0, 0);
			return foldConfig(config, folder, { repeat: 0, similarity: 0.7 }).method.stackSimilarity;
		};
		expect(own({ 'method.stack': 'ngram' })).toBe(0.7);
		expect(own({ 'method.stack': 'ngram', 'method.stackSimilarity': '0.8' })).toBe(0.8);
		// what has no effect is no part of a run
		expect(own({})).toBe(0.9);
	});

	it('tells the run of a fold from which similarity on functions are near-duplicates', async () => {
		const model = writeTinyModel(inside('model'));
		const folders = { model, data: inside('data'), output: inside('similar') };
		const config = tinyConfig(folders, { 'method.type': 'head', 'method.stack': 'ngram' });
		const interruption = new AbortController();
		const lines: string[] = [];
		const event = (told: TrainingEvent) => {
			if (told.type !== 'note' || !told.line.startsWith('the head sees n-grams')) return;
			lines.push(told.line);
			interruption.abort();
		};
		const listener = { note: () => {}, event, interruption: interruption.signal };
		const stopped = crossValidate({ config, folds: 2, repeats: 1, similarity: 0.7 }, listener);
		await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
		expect(lines.join()).toContain('near-duplicates (from a similarity of 0.7 on)');
	});

	it('refuses folds that were made on different bases', async () => {
		const environment = inside('whole/folds/1-2/run/environment.json');
		const text = readFileSync(environment, 'utf8');
		writeFileSync(environment, JSON.stringify({ ...JSON.parse(text), base: { weights: 'other' } }));
		await expect(run(configOf('whole')).result).rejects.toMatchObject({ code: 'CROSS_VALIDATION_MIXED' });
	});

	it('starts from no adapter, which may have seen what is held out', async () => {
		const config = configOf('from');
		const from = { ...config, method: { ...config.method, from: inside('adapter') } };
		await expect(run(from).result).rejects.toMatchObject({ code: 'CROSS_VALIDATION_FROM' });
	});
});
