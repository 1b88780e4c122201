import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { runTraining } from '../fine-tuning/run-training.ts';
import { readDescription } from '../methods/description.ts';
import { calibrated, fitCalibration } from '../metrics/calibrate.ts';
import { openScorer } from './scorer.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 6, valid: 4, test: 6 });
const output = path.join(root, 'run');
const lines = (file: string) =>
	readFileSync(file, 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));

describe('a scorer', () => {
	beforeAll(async () => {
		const config = tinyConfig({ model, data, output }, { 'training.epochs': '1' });
		await runTraining(
			config,
			{ resume: false, overwrite: false },
			{ emit: () => {}, interrupted: () => false },
		);
	});

	it('gives the scores of a run without its labels, in order, from the run and from its adapter alone', async () => {
		const functions = lines(path.join(data, 'test.jsonl')).map(({ code }) => code as string);
		const expected = lines(path.join(output, 'predictions.test.jsonl')).map(({ probability }) => probability);
		for (const place of [output, path.join(output, 'adapter')]) {
			const scorer = await openScorer(place, { overrides: { 'backend.type': 'reference' } });
			expect(await Array.fromAsync(scorer.score(functions))).toEqual(expected);
			expect(await Array.fromAsync(scorer.score(functions.toReversed()))).toEqual(expected.toReversed());
			expect(scorer.threshold).toEqual(expect.any(Number));
			scorer.free();
		}
	});

	it('takes no more functions than it has scored', async () => {
		const scorer = await openScorer(output, { overrides: { 'backend.type': 'reference' } });
		let taken = 0;
		async function* endless() {
			while (true) {
				taken += 1;
				yield 'int f() { return 1; }';
			}
		}
		const scores = scorer.score(endless());
		await scores.next();
		const first = taken;
		for (let i = 1; i < first; i++) await scores.next();
		expect(taken).toBe(first);
		await scores.next();
		expect(taken).toBe(2 * first);
		await scores.return();
		scorer.free();
	});

	it('puts the calibration that validation fitted behind the scores, and its own threshold', async () => {
		const functions = lines(path.join(data, 'valid.jsonl')).map(({ code }) => code as string);
		const plain = lines(path.join(output, 'predictions.valid.jsonl')).map(({ probability }) => probability);
		const { calibration } = readDescription(path.join(output, 'adapter'))!;
		expect(calibration).toEqual(fitCalibration([0, 1, 0, 1], plain));
		for (const method of ['temperature', 'isotonic'] as const) {
			const scorer = await openScorer(output, {
				overrides: { 'backend.type': 'reference' },
				calibration: method,
			});
			const expected = plain.map((probability) => calibrated(calibration!, method, probability));
			expect(await Array.fromAsync(scorer.score(functions))).toEqual(expected);
			expect(scorer.threshold).toBe(calibration![method].threshold);
			scorer.free();
		}
	});

	it('explains a head whose states were kept', async () => {
		const trained = path.join(root, 'head');
		const overrides = { 'method.type': 'head', 'head.pool': 'mean', 'training.epochs': '1' };
		const config = tinyConfig({ model, data, output: trained }, overrides);
		const silent = { emit: () => {}, interrupted: () => false };
		await runTraining(config, { resume: false, overwrite: false }, silent);
		const scorer = await openScorer(trained, { overrides: { 'backend.type': 'reference' } });
		const [first] = lines(path.join(data, 'test.jsonl')).map(({ code }) => code as string);
		await Array.fromAsync(scorer.score([first!]));
		const [explained] = await scorer.explain([first!], 'gradient');
		expect(explained!.some(({ score }) => score !== null && score !== 0)).toBe(true);
		scorer.free();
	});

	it('refuses a calibration that was not fitted', async () => {
		const copied = path.join(root, 'uncalibrated');
		cpSync(path.join(output, 'adapter'), copied, { recursive: true });
		const file = path.join(copied, 'vulntune.json');
		const { calibration: _calibration, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
		writeFileSync(file, JSON.stringify(rest));
		const opened = openScorer(copied, {
			overrides: { 'backend.type': 'reference' },
			calibration: 'isotonic',
		});
		await expect(opened).rejects.toMatchObject({ code: 'CALIBRATION_MISSING' });
		writeFileSync(file, JSON.stringify({ ...rest, calibration: { temperature: { value: 0 } } }));
		expect(() => readDescription(copied)).toThrow(expect.objectContaining({ code: 'DETECTOR_DESCRIPTION' }));
	});

	it.each(['', ' \n\t'])('refuses what a dataset refuses as empty, by its number: %j', async (empty) => {
		const scorer = await openScorer(output, { overrides: { 'backend.type': 'reference' } });
		const refused = { code: 'FUNCTION_EMPTY', kind: 'input', place: 'function 2' };
		await expect(Array.fromAsync(scorer.score(['int f() {}', empty]))).rejects.toMatchObject(refused);
		await expect(scorer.explain(['int f() {}', empty], 'gradient')).rejects.toMatchObject(refused);
		scorer.free();
	});
});
