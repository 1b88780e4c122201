import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Config, resolveConfig, runTraining } from 'vulntune';
import { evaluateRun } from '../../packages/vulntune/src/evaluation/evaluate-run.ts';
import { readPredictions } from '../../packages/vulntune/src/evaluation/predictions.ts';
import { runNgram } from '../../packages/vulntune/src/fine-tuning/run-ngram.ts';
import { readAdapterInfo } from '../../packages/vulntune/src/model/adapter-info.ts';
import { describeAdapter } from '../../packages/vulntune/src/model/info-text.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 12, valid: 6, test: 6 });
/** The same functions with names, by which a function and its fix are known as a pair. */
const named = path.join(root, 'named');
cpSync(data, named, { recursive: true });
for (const split of ['train', 'valid', 'test']) {
	const file = path.join(named, `${split}.jsonl`);
	writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"cwe":', '"function_name":"f","cwe":'));
}
const fresh = { resume: false, overwrite: false };
const silent = { emit: () => {}, interrupted: () => false };

type Overrides = Readonly<Record<string, string>>;

function configOf(name: string, overrides: Overrides): Config {
	const output = path.join(root, name.replaceAll(/\W+/g, '-'));
	const backend = { 'backend.type': testBackend };
	const common = {
		...{ 'training.accumulation': '2', 'training.warmupSteps': '0', 'method.dropout': '0' },
		// what is saved at every step is a matter of resume.test.ts
		'training.checkpointEverySteps': '50',
	};
	return tinyConfig({ model, data, output }, { ...backend, ...common, ...overrides });
}

const qlora = (base: string): Overrides => ({ 'method.type': 'qlora', 'method.base': base });
const nextToken: Overrides = {
	objective: 'nextToken',
	'nextToken.positive': 'YES',
	'nextToken.negative': 'NO',
	'nextToken.prompt': ' Vulnerable? ',
	'sequence.length': '128',
};

const stacked = { 'method.stack': 'ngram' };
const detached = { 'loss.gamma': '2', 'loss.gradient': 'detached' };
const crossEntropy = { 'loss.type': 'crossEntropy', 'loss.reduction': 'mean' };
const alphas = { 'loss.alpha': '[0.5, 0.8]', 'loss.reduction': 'mean' };
const statusWeights = { 'loss.statusWeights': '{VULNERABLE: 3, FIXED: 1}' };

/** Options that don't touch each other share a run. */
const variants: Record<string, Overrides> = {
	'qlora nf4': qlora('nf4'),
	'qlora nf4 without double quantisation': { ...qlora('nf4'), 'method.doubleQuantization': 'false' },
	'qlora fp4, focal detached, stacked': { ...qlora('fp4'), ...detached, ...stacked },
	'qlora int8, weights per class': { ...qlora('int8'), 'loss.classWeights': '[1, 2]' },
	'qlora quantile3, cross-entropy, mean': { ...qlora('quantile3'), ...crossEntropy },
	'lora on attention, focal with alpha': {
		...{ 'method.targets': 'attention', 'loss.gamma': '2', 'loss.alpha': '0.4' },
	},
	'lora on named layers, focal with an alpha per class, mean': {
		...{ 'method.targets': '[q_proj, down_proj]', ...alphas },
	},
	'lora, rank-stabilised, weights per status': { 'method.rsLora': 'true', ...statusWeights },
	'lora on the last block, the one below it run once': { 'method.layersToTransform': '[1]' },
	'lora under blocks that see both ways, the first token': {
		...{ 'method.bidirectionalLayers': '2', 'head.pool': 'first' },
	},
	'lora on a bf16 base, linear schedule without clipping': {
		...{ 'method.base': 'bf16', 'training.schedule': 'linear', 'training.clipNorm': 'null' },
	},
	'prefix tuning, stacked': {
		...{ 'method.type': 'prefix', 'method.prefixLength': '3', 'training.learningRate': '0.05' },
		...stacked,
	},
	'full fine-tuning': { 'method.type': 'full', 'training.learningRate': '0.003' },
	'full fine-tuning, stacked': { 'method.type': 'full', 'training.learningRate': '0.003', ...stacked },
	'head, last token': { 'method.type': 'head' },
	'head, maximum, stacked': { 'method.type': 'head', 'head.pool': 'max', ...stacked },
	'head, mean and maximum': { 'method.type': 'head', 'head.pool': 'meanMax' },
	'head with a hidden layer, mean': { 'method.type': 'head', 'head.pool': 'mean', 'head.hidden': '8' },
	'lora under a stacked head with a hidden layer': { 'head.hidden': '8', ...stacked },
	'next token, qlora': { ...nextToken, ...qlora('nf4') },
	'next token, full': { ...nextToken, 'method.type': 'full', 'training.learningRate': '0.003' },
	'leaky packs as they arrive': { 'sequence.packing': 'leaky', 'sequence.order': 'arrival' },
	'one function a sequence': { 'sequence.packing': 'none' },
	'shared prefixes': { 'sequence.sharePrefixes': 'true', 'head.pool': 'mean' },
	'shared prefixes, mean and maximum, a hidden layer': {
		'sequence.sharePrefixes': 'true',
		'head.pool': 'meanMax',
		'head.hidden': '8',
	},
	'shared prefixes as they arrive, next token, lora': {
		...nextToken,
		// one token each: an answer of several stands behind its function alone
		...{ 'nextToken.positive': 'Y', 'nextToken.negative': 'N' },
		...{ 'sequence.sharePrefixes': 'true', 'sequence.order': 'arrival' },
	},
	'pairs ranked, in shared prefixes': {
		'data.path': named,
		'loss.pair': 'rank',
		'loss.pairWeight': '2',
		'sequence.sharePrefixes': 'true',
	},
	'pairs parted, mean and maximum': {
		'data.path': named,
		'loss.pair': 'contrastive',
		'head.pool': 'meanMax',
	},
	'windows, stacked': { 'sequence.length': '32', 'sequence.largeFunctions': 'window', ...stacked },
	'bf16 and checkpointing': { 'training.precision': 'bf16', 'training.checkpointing': 'true' },
	'int8 on a base in 4 bits, checkpointing': {
		...qlora('nf4'),
		'training.precision': 'int8',
		'training.checkpointing': 'true',
	},
	'int8 on a dense base, next token': { ...nextToken, 'training.precision': 'int8' },
};

/** What the runs have said, behind their names. */
const notes: string[] = [];

describe.each(Object.entries(variants))('%s', (name, overrides) => {
	it('learns, and its adapter gives its predictions again', async () => {
		const config = configOf(name, overrides);
		const outcome = await runTraining(config, fresh, {
			...silent,
			emit: (event) => event.type === 'note' && notes.push(`${name}: ${event.line}`),
		});
		expect(outcome.status).toBe('finished');
		const losses = lossPerEpoch(config.output);
		expect(losses.at(-1)!).toBeLessThan(losses[0]!);
		await expectSamePredictions(config.output);
	});
});

it('a prefix is described, and refused where it is changed in the files', async () => {
	const config = configOf('described prefix', {
		...variants['prefix tuning, stacked']!,
		'training.epochs': '1',
	});
	expect((await runTraining(config, fresh, silent)).status).toBe('finished');
	const adapter = path.join(config.output, 'adapter');
	// 2 layers of 2 heads of 8 for keys, as many for values
	const info = readAdapterInfo(adapter);
	expect(info).toMatchObject({ lora: null, prefix: { length: 3, layers: 2, parameters: 3 * 2 * 2 * 16 } });
	expect(describeAdapter(info)).toContain('3 keys and values in 2 blocks');
	const file = path.join(adapter, 'adapter_config.json');
	const written = JSON.parse(readFileSync(file, 'utf8'));
	for (const [change, code] of [
		[{ num_virtual_tokens: 4 }, 'ADAPTER_WEIGHTS'],
		[{ num_layers: 'two' }, 'ADAPTER_CONFIG'],
		[{ num_transformer_submodules: 2 }, 'ADAPTER_CONFIG'],
		[{ prompt_of_tomorrow: 1 }, 'ADAPTER_CONFIG'],
		[{ peft_type: 'P_TUNING' }, 'ADAPTER_CONFIG'],
	] as const) {
		writeFileSync(file, JSON.stringify({ ...written, ...change }));
		expect(() => readAdapterInfo(adapter)).toThrow(expect.objectContaining({ code }));
	}
});

it('a detector whose blocks see both ways says so, and claims nothing of PEFT', () => {
	const name = 'lora under blocks that see both ways, the first token';
	const { output } = configOf(name, variants[name]!);
	const adapter = path.join(output, 'adapter');
	expect(JSON.parse(readFileSync(path.join(adapter, 'adapter_config.json'), 'utf8'))).toMatchObject({
		task_type: 'FEATURE_EXTRACTION',
		modules_to_save: null,
	});
	expect(describeAdapter(readAdapterInfo(adapter))).toMatch(/sight +the last 2 blocks see both ways/);
	const card = readFileSync(path.join(output, 'README.md'), 'utf8');
	expect(card).toContain('lets no token see those after it');
	expect(card).toContain('the last 2 blocks seeing both ways');
});

it('what PEFT would give other numbers with is said beside the adapter and at the end of its run, of no other', () => {
	const saying = (name: string) => {
		const { output } = configOf(name, variants[name]!);
		const card = path.join(output, 'adapter', 'README.md');
		const said = notes.some((line) => line.startsWith(`${name}: warning: vulntune alone gives these`));
		expect(existsSync(card), name).toBe(said);
		return said ? readFileSync(card, 'utf8') : '';
	};
	expect(saying('lora under blocks that see both ways, the first token')).toContain(
		'no token see those after it',
	);
	expect(saying('lora under a stacked head with a hidden layer')).toContain('but not its head');
	expect(saying('pairs parted, mean and maximum')).toContain('but not its head');
	for (const name of ['qlora nf4', 'next token, qlora', 'full fine-tuning', 'head, last token']) {
		expect(saying(name), name).toBe('');
	}
});

describe('method.from', () => {
	it.each([
		'qlora nf4',
		'lora under a stacked head with a hidden layer',
		'lora on the last block, the one below it run once',
	])('starts %s from what was trained', async (name) => {
		const first = configOf(name, variants[name]!);
		const overrides = { ...variants[name]!, 'method.from': first.output };
		// steps too small to change a float32: what is scored is what was loaded
		const same = configOf(`${name} again`, { ...overrides, 'training.learningRate': '1e-30' });
		expect((await runTraining(same, fresh, silent)).status).toBe('finished');
		expect(await probabilities(same.output)).toEqual(await probabilities(first.output));

		const onItself = configOf(name, overrides);
		const replacing = runTraining(onItself, { resume: false, overwrite: true }, silent);
		await expect(replacing).rejects.toMatchObject({ code: 'OUTPUT_TAKEN' });

		const further = configOf(`${name} further`, overrides);
		expect((await runTraining(further, fresh, silent)).status).toBe('finished');
		expect(await probabilities(further.output)).not.toEqual(await probabilities(first.output));
		await expectSamePredictions(further.output);
	});

	const stabilised = configOf('stabilised', { 'method.rsLora': 'true', 'training.epochs': '1' });
	beforeAll(async () => {
		expect((await runTraining(stabilised, fresh, silent)).status).toBe('finished');
	});

	it('starts with the scaling of the adapter where the config is silent', async () => {
		const first = stabilised;
		const value = {
			model,
			data: { path: data },
			method: { type: 'lora', from: first.output },
			sequence: { length: 96, largeFunctions: 'truncate' },
			training: { epochs: 1, learningRate: 1e-30, accumulation: 2, warmupSteps: 0, precision: 'fp32' },
			backend: testBackend,
			output: path.join(root, 'silent'),
		};
		const config = resolveConfig(value, { place: 'test', folder: '/' });
		expect((await runTraining(config, fresh, silent)).status).toBe('finished');
		expect(await probabilities(config.output)).toEqual(await probabilities(first.output));
	});

	it('is refused before the data is looked at', async () => {
		const first = stabilised.output;
		const absent = { 'data.path': path.join(root, 'no-data') };
		const refusal = async (overrides: Overrides) => {
			const run = runTraining(configOf('refused', { ...absent, ...overrides }), fresh, silent);
			return (await run.then(() => undefined).catch((error) => error.code)) as string;
		};
		expect(await refusal({})).toBe('DATASET_NOT_FOUND');
		expect(await refusal({ 'method.from': path.join(root, 'nothing') })).toBe('ADAPTER_MISSING');
		expect(await refusal({ 'method.targets': 'none_such' })).toBe('NO_LORA_TARGET');
		expect(await refusal({ 'method.layersToTransform': '[2]' })).toBe('NO_LORA_TARGET');
		expect(await refusal({ 'method.bidirectionalLayers': '3' })).toBe('BIDIRECTIONAL_UNAVAILABLE');
		const config = configOf('refused', { ...absent, 'method.from': first, 'method.rsLora': 'true' });
		const changed = { ...config, method: { ...config.method, alpha: 5 } };
		await expect(runTraining(changed, fresh, silent)).rejects.toMatchObject({
			code: 'ADAPTER_MISMATCH',
			summary: expect.stringMatching(/alpha 4.*alpha 5/),
		});
		const fewer = configOf('refused', {
			...{ ...absent, 'method.from': first, 'method.rsLora': 'true', 'method.targets': 'attention' },
		});
		await expect(runTraining(fewer, fresh, silent)).rejects.toMatchObject({
			code: 'ADAPTER_MISMATCH',
			summary: expect.stringMatching(
				/14 modules \(down_proj, .*method\.targets "attention" 8 modules \(k_proj/,
			),
		});
		const other = path.join(root, 'other-base');
		cpSync(model, other, { recursive: true });
		const file = path.join(other, 'config.json');
		writeFileSync(file, readFileSync(file, 'utf8').replace('"rope_theta":10000', '"rope_theta":20000'));
		const onOther = { model: other, 'method.from': first, 'method.rsLora': 'true' };
		expect(await refusal(onOther)).toBe('BASE_MISMATCH');
		const allowed = configOf('on other base', { ...onOther, 'training.epochs': '1' });
		expect((await runTraining(allowed, { ...fresh, allowOtherBase: true }, silent)).status).toBe('finished');
		const { baseFingerprint } = JSON.parse(readFileSync(path.join(first, 'adapter/vulntune.json'), 'utf8'));
		for (const file of ['environment.json', 'adapter/vulntune.json']) {
			const written = JSON.parse(readFileSync(path.join(allowed.output, file), 'utf8'));
			expect(written.earlierBases).toEqual([baseFingerprint]);
		}
	});
});

it('n-grams give their predictions again', async () => {
	const output = path.join(root, 'ngram');
	const config = tinyConfig({ model, data, output }, { 'method.type': 'ngram' });
	expect((await runNgram(config, fresh, silent)).status).toBe('finished');
	await expectSamePredictions(config.output);
});

it('early stopping ends a training that does not improve', async () => {
	const overrides = {
		'training.earlyStopping': '1',
		'training.epochs': '5',
		'training.learningRate': '1e-30',
	};
	const config = configOf('early', overrides);
	await runTraining(config, fresh, silent);
	expect(lossPerEpoch(config.output)).toHaveLength(2);
});

it('a loss that is no number ends the training and says how to go on', async () => {
	const wild = { 'training.learningRate': '1e6', 'training.clipNorm': 'null', 'training.epochs': '4' };
	const ended = runTraining(configOf('wild', wild), fresh, silent);
	await expect(ended).rejects.toThrow(/no longer a number in epoch \d.*\n.*learningRate.*--overwrite/);
});

/** Mean loss of the optimiser steps of each epoch. */
function lossPerEpoch(output: string): number[] {
	const losses: number[][] = [];
	for (const line of readFileSync(path.join(output, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')) {
		const record = JSON.parse(line);
		if (record.type === 'step') (losses[record.epoch - 1] ??= []).push(record.loss);
	}
	return losses.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
}

async function probabilities(output: string): Promise<(number | null)[]> {
	const predictions = await readPredictions(path.join(output, 'predictions.test.jsonl'));
	return predictions.map(({ probability }) => probability);
}

/** Scoring the test split again from the run folder gives exactly what the run wrote down. */
async function expectSamePredictions(output: string): Promise<void> {
	const progress = () => {};
	const again = await evaluateRun(
		output,
		{ data: undefined, split: 'test', precision: undefined },
		progress,
		progress,
	);
	expect([...again.probabilities]).toEqual(await probabilities(output));
}
