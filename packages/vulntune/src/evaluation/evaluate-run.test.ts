import {
	appendFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Precision, VulntuneError } from '@vulntune/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { evaluateFromRequest, splitCaution } from '../commands/evaluate-command.ts';
import { runNgram } from '../fine-tuning/run-ngram.ts';
import { runTraining } from '../fine-tuning/run-training.ts';
import { rocAuc } from '../metrics/rank-metrics.ts';
import { curveOf } from '../metrics/ranking.ts';
import type { DataRecord } from '../run/data-record.ts';
import type { CommandContext } from '../terminal/context.ts';
import type { BaselineScores } from './baseline-detectors.ts';
import type { PrecisionChange } from './compare-precisions.ts';
import type { Comparison } from './compare-with-baselines.ts';
import { evaluatePredictionsFile } from './evaluate-predictions-file.ts';
import { type EvaluatedBase, openEvaluationBackend } from './evaluated-base.ts';
import { parsePredictions } from './predictions.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-evaluate-'));
afterAll(() => rmSync(root, { recursive: true }));
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 6, valid: 4, test: 4 });
const inside = (name: string) => path.join(root, name);
/** Options of a run by its method, each with something else that scores depend on. */
const overrides = {
	lora: { 'method.rsLora': 'true', 'head.pool': 'mean', 'head.hidden': '4' },
	qlora: {
		...{ objective: 'nextToken', 'nextToken.positive': 'YES', 'nextToken.negative': 'NO' },
		...{ 'nextToken.prompt': ' Vulnerable? ', 'method.base': 'nf4', 'method.targets': '[q_proj, down_proj]' },
	},
	full: { 'sequence.largeFunctions': 'window', 'sequence.length': '40', 'head.hidden': '3' },
	ngram: {},
};
const runs = {
	...{ lora: inside('lora'), qlora: inside('qlora') },
	...{ full: inside('full'), ngram: inside('ngram') },
};

beforeAll(async () => {
	const mode = { resume: false, overwrite: false };
	const signals = { emit: () => {}, interrupted: () => false };
	for (const [type, output] of Object.entries(runs)) {
		const own = overrides[type as keyof typeof runs];
		const config = tinyConfig(
			{ model, data, output },
			{ ...(type === 'ngram' ? {} : { 'training.epochs': '1' }), 'method.type': type, ...own },
		);
		const run = type === 'ngram' ? runNgram : runTraining;
		expect((await run(config, mode, signals)).status).toBe('finished');
	}
});

async function evaluate(
	run: string,
	options: {
		data?: string;
		output?: string;
		precision?: Precision;
		split?: 'train' | 'valid' | 'test';
		overrides?: Readonly<Record<string, string>>;
		allowOtherBase?: boolean;
	} = {},
) {
	const notes: string[] = [];
	const progress = { update: () => {}, note: (line: string) => void notes.push(line), finish: () => {} };
	const context: CommandContext = { progress, interruption: () => new AbortController().signal };
	const { data, output, precision, ...others } = options;
	const request = { run, data, split: 'test', output, precision, ...others } as const;
	const { data: result, text } = await evaluateFromRequest(request, context);
	const { predictions, rows, caution, precisionChange, base } = result as {
		base: EvaluatedBase | undefined;
		predictions: { probability: number }[];
		rows: { name: string }[];
		caution: string | undefined;
		precisionChange: PrecisionChange | undefined;
	};
	const probabilities = predictions.map(({ probability }) => probability);
	return { probabilities, names: rows.map(({ name }) => name), caution, precisionChange, base, text, notes };
}

function lineCount(file: string): number {
	return readFileSync(file, 'utf8').trim().split('\n').length;
}

function copyOf(folder: string, name: string): string {
	cpSync(folder, inside(name), { recursive: true });
	return inside(name);
}

describe.each(Object.entries(runs))('the adapter of a %s run, copied out of it', (type, run) => {
	const adapter = () => copyOf(path.join(run, 'adapter'), `copied-${type}`);

	it('scores as the run does', async () => {
		const copied = await evaluate(adapter(), { data });
		const own = await evaluate(run);
		// the run computed on the reference backend, the adapter takes what there is
		expect(copied.probabilities).toEqual(own.probabilities.map((value) => expect.closeTo(value, 5)));
		expect(copied.names).toEqual(own.names);
		expect(own.caution).toBeUndefined();
	});

	it('needs data', async () => {
		await expect(evaluate(adapter())).rejects.toMatchObject({
			code: 'USAGE',
			summary: expect.stringContaining('--data'),
		});
	});

	it('stands beside all-positive alone where there is nothing to fit the others on', async () => {
		const lone = inside(`test-only-${type}`);
		mkdirSync(lone);
		cpSync(path.join(data, 'test.jsonl'), path.join(lone, 'test.jsonl'));
		const { names, caution, text } = await evaluate(adapter(), { data: lone });
		expect(names).toEqual([type, 'all-positive']);
		expect(caution).toContain('baselines are left out');
		expect(text).toContain(caution);
	});
});

it.each([
	[['vulntune.json'], 'ADAPTER_UNDESCRIBED', 'vulntune.json'],
	[['vulntune.json', 'adapter_config.json'], 'RUN_NOT_FOUND', 'no adapter'],
])('says what an adapter without %j lacks', async (missing, code, says) => {
	const adapter = copyOf(path.join(runs.lora, 'adapter'), `without-${missing.length}`);
	for (const file of missing) rmSync(path.join(adapter, file));
	const refused = expect.stringContaining(says);
	await expect(evaluate(adapter, { data })).rejects.toMatchObject({ code, summary: refused });
});

it('says that a folder is not there, where it is not', async () => {
	const absent = path.join(runs.lora, 'absent');
	const refused = { code: 'RUN_NOT_FOUND', summary: expect.stringContaining('no such folder') };
	await expect(evaluate(absent, { data })).rejects.toMatchObject(refused);
});

describe('the base of an adapter', () => {
	const moved = () => {
		const base = inside('moved-base');
		if (!existsSync(base)) cpSync(model, base, { recursive: true });
		return base;
	};

	it('is looked for where the run had it, and --model says where it lies now', async () => {
		const adapter = copyOf(path.join(runs.lora, 'adapter'), 'with-moved-base');
		const file = path.join(adapter, 'vulntune.json');
		writeFileSync(file, readFileSync(file, 'utf8').replaceAll(model, inside('gone')));
		const refusal = {
			code: 'MODEL_NOT_FOUND',
			place: inside('gone'),
			remedy: expect.stringMatching(/--model/),
		};
		await expect(evaluate(adapter, { data })).rejects.toMatchObject(refusal);
		const { probabilities, base } = await evaluate(adapter, { data, overrides: { model: moved() } });
		expect(base).toMatchObject({ path: moved(), recorded: base!.fingerprint });
		const own = await evaluate(runs.lora);
		expect(probabilities).toEqual(own.probabilities.map((value) => expect.closeTo(value, 5)));
	});

	it('must be the one that it was made on, to the bit, unless another is taken by name', async () => {
		const other = inside('other-base');
		cpSync(model, other, { recursive: true });
		const weights = path.join(other, 'model.safetensors');
		const bytes = readFileSync(weights);
		bytes[bytes.length - 2]! ^= 0x40;
		writeFileSync(weights, bytes);
		const overrides = { model: other };
		for (const location of [runs.lora, runs.qlora, path.join(runs.lora, 'adapter')]) {
			await expect(evaluate(location, { overrides })).rejects.toMatchObject({
				code: 'BASE_MISMATCH',
				summary: expect.stringContaining('other weights'),
				remedy: expect.stringContaining('--allow-other-base'),
			});
		}
		const { base, caution, precisionChange } = await evaluate(runs.lora, {
			...{ overrides, allowOtherBase: true, precision: 'bf16' },
		});
		expect(caution).toMatch(/^Allowed by --allow-other-base: .*other weights/);
		expect(base!.recorded!.weights).not.toBe(base!.fingerprint.weights);
		// the scores that the run keeps are those of its own base
		expect(precisionChange).toMatchObject({ ownScores: 'computed' });
	});

	it('passes the checks of training', async () => {
		const short = inside('short-window');
		cpSync(model, short, { recursive: true });
		const file = path.join(short, 'config.json');
		writeFileSync(file, readFileSync(file, 'utf8').replace('65536', '64'));
		const refusal = { code: 'SEQUENCE_TOO_LONG' };
		await expect(evaluate(runs.lora, { overrides: { model: short } })).rejects.toMatchObject(refusal);
	});

	it('is said to be unchecked where an earlier version made the adapter', async () => {
		const run = copyOf(runs.lora, 'without-fingerprint');
		const file = path.join(run, 'adapter/vulntune.json');
		const { baseFingerprint: _none, ...description } = JSON.parse(readFileSync(file, 'utf8'));
		writeFileSync(file, JSON.stringify(description));
		const { caution, base } = await evaluate(run);
		expect(caution).toContain('was not checked');
		expect(base).toMatchObject({ recorded: null });
	});

	it('is none for what holds all of its weights, and for n-grams', async () => {
		for (const type of ['full', 'ngram'] as const) {
			const overrides = { model: moved() };
			await expect(evaluate(runs[type], { overrides })).rejects.toMatchObject({ code: 'USAGE' });
		}
		renameSync(model, `${model}-away`);
		try {
			expect((await evaluate(runs.full)).base).toBeUndefined();
			await expect(evaluate(runs.lora)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
		} finally {
			renameSync(`${model}-away`, model);
		}
	});
});

describe('the machine of a run', () => {
	function runOn(name: string, backend: string): string {
		const run = copyOf(runs.lora, name);
		const file = path.join(run, 'config.yaml');
		const text = readFileSync(file, 'utf8').replace(/backend:\n(?: {2}.*\n)+/, `backend: ${backend}\n`);
		writeFileSync(file, text);
		return run;
	}

	it('does not bind where its backend is not there and nobody asked for it', () => {
		const choice = { type: 'cpu', isa: 'of-another-machine' as 'auto', threads: 1 } as const;
		const notes: string[] = [];
		openEvaluationBackend(undefined, choice, false, (line) => notes.push(line)).close();
		expect(notes.join()).toContain('is not here');
		expect(() => openEvaluationBackend(undefined, choice, true, () => {})).toThrow(VulntuneError);
	});

	it('gives way to what is asked for, its instruction set and threads included', async () => {
		const run = runOn('elsewhere', '{ type: cpu, isa: avx512bf16, threads: 4096 }');
		const scored = evaluate(run, {
			overrides: { 'backend.type': 'reference', 'backend.isa': 'auto', 'backend.threads': 'auto' },
		});
		expect((await scored).probabilities).toEqual((await evaluate(runs.lora)).probabilities);
	});

	it('is named where its dataset is not there', async () => {
		const run = copyOf(runs.lora, 'without-data');
		const file = path.join(run, 'config.yaml');
		writeFileSync(file, readFileSync(file, 'utf8').replace(data, inside('no-data')));
		const refusal = {
			code: 'DATASET_NOT_FOUND',
			place: inside('no-data'),
			remedy: expect.stringMatching(/--data/),
		};
		await expect(evaluate(run)).rejects.toMatchObject(refusal);
		const { names, caution } = await evaluate(run, { data: inside('test-only-lora') });
		expect(names).toEqual(['lora', 'all-positive']);
		expect(caution).toContain('baselines are left out');
	});
});

describe.each(Object.entries(runs))('a %s run', (type, run) => {
	const read = (name: string) => readFileSync(path.join(run, name), 'utf8');
	const compared = () => (JSON.parse(read('comparison.json')) as Comparison).rows;

	it("keeps the baselines' scores that it was compared with", () => {
		const lines = read('baselines.test.jsonl').trim().split('\n');
		const baselines = lines.map((line): BaselineScores => JSON.parse(line));
		const predictions = parsePredictions(read('predictions.test.jsonl'), 'predictions');
		expect(baselines.map(({ id }) => id)).toEqual(predictions.map(({ id }) => id));
		const labels = predictions.map(({ label }) => label);
		for (const { name, kind, evaluation } of compared()) {
			if (kind === 'model') continue;
			const scores = baselines.map(({ scores }) => scores[name]!);
			expect(rocAuc(curveOf(labels, scores)), name).toMatchObject({ value: evaluation.rocAuc.value });
		}
	});

	it('ends its metrics with the numbers that it was compared with', () => {
		const end = JSON.parse(read('metrics.jsonl').trim().split('\n').at(-1)!);
		expect(end.test).toEqual(compared()[0]!.evaluation);
	});

	it('counts its functions and their tokens', () => {
		const { sequenceLength, splits } = JSON.parse(read('data.json')) as DataRecord;
		const sizes = Object.values(splits).map(({ functions }) => functions);
		expect(sizes).toEqual(
			['train', 'valid', 'test'].map((split) => lineCount(path.join(data, `${split}.jsonl`))),
		);
		expect(splits.test.vulnerable).toBe(compared()[0]!.evaluation.counts.positives);
		expect(sequenceLength === null).toBe(type === 'ngram');
		const tokens = Object.values(splits).map((split) => split.tokens);
		for (const counted of tokens) {
			if (type === 'ngram') expect(counted).toBeNull();
			else expect(counted!.max).toBeGreaterThanOrEqual(counted!.median);
		}
	});

	it('names its threshold in every line of its predictions, at which they are measured', async () => {
		const { threshold, f1, counts } = compared()[0]!.evaluation;
		for (const split of ['valid', 'test']) {
			const predictions = parsePredictions(read(`predictions.${split}.jsonl`), split);
			expect(new Set(predictions.map((line) => line.threshold)), type).toEqual(new Set([threshold.value]));
		}
		const measured = await evaluatePredictionsFile(path.join(run, 'predictions.test.jsonl'));
		expect(measured.thresholdFrom).toBe('file');
		expect(measured.evaluation).toMatchObject({ threshold, f1: { value: f1.value }, counts });
	});
});

describe('--output', () => {
	it("writes what a run's own predictions file holds", async () => {
		const output = inside('predictions.jsonl');
		await evaluate(runs.lora, { output });
		const own = readFileSync(path.join(runs.lora, 'predictions.test.jsonl'), 'utf8');
		expect(readFileSync(output, 'utf8')).toBe(own);
	});

	it('is refused before anything is scored where it cannot be written', async () => {
		const refusal = { code: 'OUTPUT_NOT_FILE' };
		await expect(evaluate('no run', { output: root })).rejects.toMatchObject(refusal);
		await expect(evaluate('no run', { output: inside('absent/p.jsonl') })).rejects.toMatchObject(refusal);
	});

	it('replaces nothing of the run, its base or its dataset', async () => {
		const own = [
			path.join(runs.lora, 'config.yaml'),
			path.join(runs.lora, 'adapter/adapter_model.safetensors'),
		];
		for (const output of [...own, path.join(data, 'test.jsonl'), path.join(model, 'config.json')]) {
			const before = readFileSync(output, 'base64');
			await expect(evaluate(runs.lora, { output })).rejects.toMatchObject({
				code: 'OUTPUT_TAKEN',
				kind: 'input',
				place: output,
			});
			expect(readFileSync(output, 'base64')).toBe(before);
		}
	});
});

describe('--precision', () => {
	it('scores in another arithmetic and compares with the predictions that the run keeps', async () => {
		const own = await evaluate(runs.lora);
		expect(own.precisionChange).toBeUndefined();
		expect((await evaluate(runs.lora, { precision: 'fp32' })).precisionChange).toBeUndefined();
		const { precisionChange, probabilities, text } = await evaluate(runs.lora, { precision: 'int8' });
		const shifts = probabilities.map((value, i) => Math.abs(value - own.probabilities[i]!));
		expect(Math.max(...shifts)).toBeGreaterThan(0);
		expect(Math.max(...shifts)).toBeLessThan(0.1);
		expect(precisionChange).toMatchObject({ precision: 'int8', own: 'fp32', ownScores: 'stored' });
		expect(precisionChange!.largestShift).toBeCloseTo(Math.max(...shifts), 12);
		const { rocAuc, ownRocAuc, difference } = precisionChange!;
		expect(difference.value).toBeCloseTo(rocAuc! - ownRocAuc!, 12);
		expect(text).toContain('Scored in int8 instead of its own fp32 (the predictions that it keeps): ROC AUC');
	});

	it('scores again where the run keeps no predictions of these functions', async () => {
		const [kept, computed] = [
			await evaluate(runs.full, { precision: 'int8' }),
			await evaluate(runs.full, { precision: 'int8', data }),
		];
		expect(computed.precisionChange).toMatchObject({ ownScores: 'computed' });
		expect(computed.precisionChange!.largestShift).toBeCloseTo(kept.precisionChange!.largestShift, 5);
		expect(computed.precisionChange!.largestShift).toBeGreaterThan(0);
		const changed = copyOf(runs.lora, 'other-predictions');
		const file = path.join(changed, 'predictions.test.jsonl');
		writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(1).join('\n'));
		const again = await evaluate(changed, { precision: 'int8' });
		expect(again.precisionChange).toMatchObject({ ownScores: 'computed' });
	});

	it('is refused for n-grams', async () => {
		await expect(evaluate(runs.ngram, { precision: 'int8' })).rejects.toMatchObject({ code: 'USAGE' });
	});
});

describe('a caution says', () => {
	it('that a split was learnt from, wherever the dataset lies, and that it may have been where nothing says', async () => {
		const elsewhere = copyOf(data, 'data-elsewhere');
		const other = writeTinyDataset(inside('other-data'), { train: 4, valid: 4, test: 4 });
		const adapter = copyOf(path.join(runs.lora, 'adapter'), 'without-its-run');
		const cautionOf = async (run: string, split: 'train' | 'valid', of: string) =>
			(await evaluate(run, { data: of, split })).caution;
		expect(await cautionOf(runs.lora, 'train', elsewhere)).toBe(splitCaution('train', true));
		expect(await cautionOf(runs.lora, 'valid', elsewhere)).toBe(splitCaution('valid', true));
		expect(await cautionOf(runs.lora, 'train', other)).toBe(splitCaution('train', false));
		expect(await cautionOf(runs.lora, 'valid', other)).toBeUndefined();
		expect(await cautionOf(adapter, 'train', elsewhere)).toBe(splitCaution('train', undefined));
		expect(await cautionOf(adapter, 'valid', elsewhere)).toBe(splitCaution('valid', undefined));
		expect(await cautionOf(runs.ngram, 'train', elsewhere)).toBe(splitCaution('train', true));
	});

	it('that the run is not finished, and whose adapter is scored', async () => {
		const run = copyOf(runs.lora, 'unfinished');
		const metrics = path.join(run, 'metrics.jsonl');
		const lines = readFileSync(metrics, 'utf8').split('\n');
		writeFileSync(metrics, lines.filter((line) => !line.startsWith('{"type":"end"')).join('\n'));
		const { caution, notes } = await evaluate(run);
		expect(caution).toMatch(/not finished.*epoch 1/);
		expect(notes.join()).toContain(caution);
	});

	it("that the run's dataset changed", async () => {
		const before = readFileSync(path.join(data, 'test.jsonl'), 'utf8');
		appendFileSync(path.join(data, 'test.jsonl'), '\n');
		try {
			expect((await evaluate(runs.lora)).caution).toMatch(/changed/);
			expect((await evaluate(runs.lora, { data })).caution).toBeUndefined();
		} finally {
			writeFileSync(path.join(data, 'test.jsonl'), before);
		}
	});
});

it('refuses an adapter that learnt the first token of its answers alone', async () => {
	const adapter = copyOf(path.join(runs.qlora, 'adapter'), 'first-version');
	const file = path.join(adapter, 'vulntune.json');
	const { answers, ...description } = JSON.parse(readFileSync(file, 'utf8'));
	expect(answers.yes.length).toBeGreaterThan(1);
	writeFileSync(file, JSON.stringify(description));
	await expect(evaluate(adapter, { data })).rejects.toMatchObject({
		code: 'ADAPTER_OTHER_ANSWERS',
		place: adapter,
	});
});
