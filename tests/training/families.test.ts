import path from 'node:path';
import { createBackend } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { type Config, runTraining } from 'vulntune';
import { evaluateRun } from '../../packages/vulntune/src/evaluation/evaluate-run.ts';
import { readPredictions } from '../../packages/vulntune/src/evaluation/predictions.ts';
import { openBase } from '../../packages/vulntune/src/model/open-base.ts';
import { createDetectorOf } from '../../packages/vulntune/src/scoring/configured-detector.ts';
import { prepareData } from '../../packages/vulntune/src/scoring/prepare-data.ts';
import { scoreSplit } from '../../packages/vulntune/src/scoring/score-split.ts';
import {
	temporaryFolder,
	testBackend,
	tinyConfig,
	tinyShapes,
	writeTinyDataset,
	writeTinyModel,
} from '../tiny.ts';

const root = temporaryFolder();
const data = writeTinyDataset(path.join(root, 'data'), { train: 12, valid: 6, test: 6 });
const silent = { emit: () => {}, interrupted: () => false };
const fresh = { resume: false, overwrite: false };

const variants = {
	qlora: { 'method.type': 'qlora', 'method.base': 'nf4' },
	'lora on attention, mean': { 'method.targets': 'attention', 'head.pool': 'mean' },
	'full, checkpointing': {
		...{ 'method.type': 'full', 'method.dropout': '0', 'training.checkpointing': 'true' },
		'training.learningRate': '0.003',
	},
	'shared beginnings': { 'sequence.sharePrefixes': 'true' },
	prefix: { 'method.type': 'prefix', 'method.prefixLength': '4' },
	windows: { 'sequence.length': '40', 'sequence.largeFunctions': 'window' },
} as const;

type Variant = keyof typeof variants;

const everyVariant = ['qlora', 'lora on attention, mean', 'full, checkpointing', 'windows'] as const;

/** The first family is what all other tests train; those that have its blocks, or nearly, are trained with what differs, or what their windows meet. */
const families = [
	{ family: 'mistral', trained: ['shared beginnings', 'prefix'] },
	{ family: 'qwen2', trained: ['full, checkpointing'] },
	{ family: 'qwen3', trained: ['qlora', 'full, checkpointing'] },
	{ family: 'starcoder2', trained: everyVariant },
	{ family: 'gptBigCode', trained: everyVariant },
	{ family: 'gptNeox', trained: [...everyVariant, 'prefix'] },
	{ family: 'roberta', trained: everyVariant },
	{ family: 'bert', trained: everyVariant },
	{ family: 'modernBert', trained: everyVariant },
] as const satisfies readonly { family: keyof typeof tinyShapes; trained: readonly Variant[] }[];

describe.each(families)('a tiny $family', ({ family, trained }) => {
	const model = writeTinyModel(path.join(root, family), tinyShapes[family]);
	const configOf = (name: string, overrides: Readonly<Record<string, string>>): Config =>
		tinyConfig(
			{ model, data, output: path.join(root, `${family}-${name.replaceAll(/\W+/g, '-')}`) },
			{
				...{ 'backend.type': testBackend, 'training.accumulation': '2', 'training.warmupSteps': '0' },
				'training.checkpointEverySteps': '50',
				...overrides,
			},
		);

	it.each(trained)('trains and scores: %s', async (name) => {
		const { 'method.dropout': _, ...others } = variants[name] as Record<string, string>;
		const isEncoder = ['roberta', 'bert', 'modernBert'].includes(family);
		const pool = isEncoder && name === 'windows' ? { 'head.pool': 'first' } : {};
		const config = configOf(name, { ...others, ...pool });
		const outcome = await runTraining(config, fresh, silent);
		expect(outcome.status).toBe('finished');
		const predictions = await readPredictions(path.join(config.output, 'predictions.test.jsonl'));
		const saved = predictions.map(({ probability }) => probability);
		const options = { data: undefined, split: 'test', precision: undefined } as const;
		const again = await evaluateRun(
			config.output,
			options,
			() => {},
			() => {},
		);
		expect([...again.probabilities]).toEqual(saved);
		expect(new Set(saved).size).toBeGreaterThan(1);
	});

	it('gives a function the same score whatever shares its pack', async () => {
		const scoresOf = async (overrides: Readonly<Record<string, string>>) => {
			const config = configOf('scores', { 'training.precision': 'bf16', ...overrides });
			const base = openBase(config);
			const prepared = await prepareData(config, base, () => {});
			const backend = createBackend(config.backend, () => {});
			const detector = createDetectorOf(config, backend, base.folder);
			const { probabilities } = (await scoreSplit(detector, prepared.splits.test, prepared.scoring))!;
			detector.free();
			backend.close();
			base.close();
			return probabilities;
		};
		const packed = await scoresOf({});
		expect(await scoresOf({ 'sequence.packing': 'none' })).toEqual(packed);
		expect(await scoresOf({ 'sequence.maxFunctions': '2' })).toEqual(packed);
	});
});

describe('an encoder', () => {
	const model = writeTinyModel(path.join(root, 'encoder'), tinyShapes.roberta);
	const refused = (overrides: Readonly<Record<string, string>>) =>
		runTraining(tinyConfig({ model, data, output: path.join(root, 'refused') }, overrides), fresh, silent);

	it('is refused where next tokens or shared beginnings are asked for, by name', async () => {
		await expect(refused({ objective: 'nextToken' })).rejects.toMatchObject({ code: 'MODEL_HEAD_MISSING' });
		const withPrefix = { 'method.type': 'prefix', 'head.pool': 'first' };
		await expect(refused(withPrefix)).rejects.toMatchObject({ code: 'PREFIX_UNAVAILABLE' });
		await expect(refused({ 'sequence.sharePrefixes': 'true' })).rejects.toMatchObject({
			code: 'PREFIXES_NOT_CAUSAL',
		});
	});
});
