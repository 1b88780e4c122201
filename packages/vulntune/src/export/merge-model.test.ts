import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
	expectedTensors,
	openModelFolder,
	openSafetensors,
	openWeights,
	readFloat32,
	readPeftAdapter,
	writeSafetensors,
} from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { evaluateRun } from '../evaluation/evaluate-run.ts';
import { openScorer } from '../evaluation/scorer.ts';
import { describeModel } from '../model/info-text.ts';
import { readModelInfo } from '../model/model-info.ts';
import { quantizeModel } from '../model/quantize-model.ts';
import { describeQuantization } from '../model/quantize-text.ts';
import { exportModel } from './export-model.ts';
import { type MergeOptions, mergeModel } from './merge-model.ts';
import { describeMerge } from './merge-text.ts';
import { makeRun } from './testing/made-run.ts';

type Edited = Readonly<Record<string, object>>;
const onReference = { 'backend.type': 'reference' };
const texts = ['int f(int a) { return a; }', 'String g() { return run("x"); }'];

function merge(run: string, options: Partial<MergeOptions> = {}) {
	const output = path.join(temporaryFolder(), 'merged');
	return mergeModel({
		run,
		output,
		type: 'fp32',
		overwrite: false,
		compare: 2,
		overrides: onReference,
		allowOtherBase: false,
		...options,
	});
}

async function scoresOf(location: string): Promise<number[]> {
	const scorer = await openScorer(location, { overrides: onReference });
	const scores = await Array.fromAsync(scorer.score(texts));
	scorer.free();
	return scores;
}

const configOf = (folder: string) => JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));

describe('a merged model', () => {
	it('has the scores of a LoRA adapter, and is opened by transformers as a classifier of the last token', async () => {
		const { run } = makeRun();
		const report = await merge(run);
		expect(report).toMatchObject({
			architecture: 'LlamaForSequenceClassification',
			adapted: 14,
			warnings: [],
		});
		expect(report.difference).toMatchObject({ functions: 'valid', count: 2, logits: 2 });
		expect(report.difference!.largest).toBeLessThan(1e-5);
		expect(report.difference!.magnitude).toBeGreaterThan(0.01);
		const merged = await scoresOf(report.output);
		for (const [i, score] of (await scoresOf(run)).entries()) expect(merged[i]).toBeCloseTo(score, 5);
		expect(configOf(report.output)).toMatchObject({
			architectures: ['LlamaForSequenceClassification'],
			pad_token_id: 0,
			id2label: { 1: 'vulnerable' },
			torch_dtype: 'float32',
		});
		const { tensors, close } = openSafetensors(path.join(report.output, 'model.safetensors'));
		close();
		expect(tensors.get('score.weight')!.shape).toEqual([2, 32]);
		expect(describeMerge(report)).toContain('14 matrices');
	});

	it.each([
		['qlora on nf4', { 'method.type': 'qlora', 'method.base': 'nf4' }],
		['qlora on int8 with rsLoRA', { 'method.type': 'qlora', 'method.base': 'int8', 'method.rsLora': 'true' }],
		['lora on bf16', { 'method.base': 'bf16' }],
		['the head alone', { 'method.type': 'head' }],
		['all weights', { 'method.type': 'full' }],
		['a head on mean and maximum', { 'head.pool': 'meanMax' }],
		['a pooled head with a hidden layer', { 'head.pool': 'mean', 'head.hidden': '5' }],
	])('has the values of the base that the detector was trained on: %s', async (_, options) => {
		const { run } = makeRun(options);
		const { difference, output } = await merge(run);
		expect(difference!.largest).toBeLessThan(1e-5);
		const merged = await scoresOf(output);
		for (const [i, score] of (await scoresOf(run)).entries()) expect(merged[i]).toBeCloseTo(score, 5);
	});

	it('says how the detector was trained that it was made of', async () => {
		const { run } = makeRun({ 'method.type': 'qlora', 'method.base': 'nf4' });
		const { output } = await merge(run, { compare: 0 });
		const again = await merge(output, { compare: 0 });
		for (const folder of [output, again.output]) {
			const text = describeModel(readModelInfo(folder));
			expect(text).toMatch(/trained by +qlora on nf4, epoch \d+, seed \d+, merged\n/);
		}
		const data = path.join(path.dirname(run), 'data');
		const request = { data, split: 'test', precision: undefined, overrides: onReference } as const;
		const { comparison } = await evaluateRun(
			output,
			request,
			() => {},
			() => {},
		);
		expect(comparison.rows[0]!.name).toBe('qlora');
	});

	it('is W + scale · B · A to the last bits', async () => {
		const { run, model } = makeRun({ 'method.rsLora': 'true' });
		const { output } = await merge(run, { compare: 0 });
		const name = 'model.layers.1.mlp.down_proj';
		const { matrices } = readPeftAdapter(path.join(run, 'adapter'));
		const [a, b] = ['A', 'B'].map((part) => matrices.get(`${name}.lora_${part}.weight`)!.values);
		const [base, merged] = [model, output].map((folder) => {
			const source = openWeights(folder);
			const values = readFloat32(source, `${name}.weight`); // [32, 64]
			source.close();
			return values;
		});
		const scale = 4 / Math.sqrt(2);
		for (const [i, value] of merged!.entries()) {
			const [row, column] = [Math.floor(i / 64), i % 64];
			const product = b![2 * row]! * a![column]! + b![2 * row + 1]! * a![64 + column]!;
			expect(value).toBeCloseTo(base![i]! + scale * product, 5);
		}
	});

	it('says what transformers would do otherwise where it pools otherwise, and keeps the head', async () => {
		const { run } = makeRun({ 'head.pool': 'mean' });
		const { output, architecture, warnings } = await merge(run, { compare: 0 });
		expect(architecture).toBe('LlamaModel');
		expect(warnings[0]).toMatch(/LlamaForSequenceClassification pools the last token.*pool: mean/);
		expect(configOf(output).architectures).toEqual(['LlamaModel']);
	});

	it('says that a run in 8 bits is scored in floats from the folder', async () => {
		const { run } = makeRun({ 'training.precision': 'int8' });
		const { warnings } = await merge(run, { compare: 0 });
		expect(warnings.join()).toMatch(/the run scores in int8 and the folder in bf16.*--precision bf16/);
		const other = makeRun({ 'training.precision': 'bf16' });
		expect((await merge(other.run, { compare: 0 })).warnings.join()).not.toContain('scores in');
	});

	it('is a language model for the next-token objective, with its output matrix', async () => {
		const { run } = makeRun({ objective: 'nextToken' });
		const { architecture, difference, output } = await merge(run);
		expect(architecture).toBe('LlamaForCausalLM');
		expect(difference).toMatchObject({ logits: 304 });
		expect(difference!.largest).toBeLessThan(1e-4);
		const merged = await scoresOf(output);
		for (const [i, score] of (await scoresOf(run)).entries()) expect(merged[i]).toBeCloseTo(score, 5);
	});

	it("takes transformers' form of an encoder's head, filled up where the hidden layer is smaller", async () => {
		const { run } = makeRun(
			{ 'head.pool': 'first', 'head.hidden': '7', 'head.bias': 'true' },
			tinyShapes.roberta,
		);
		const { architecture, output, difference } = await merge(run);
		expect(architecture).toBe('RobertaForSequenceClassification');
		expect(difference!.largest).toBeLessThan(1e-5);
		const weights = openWeights(output);
		const bias = readFloat32(weights, 'classifier.out_proj.bias'); // [2]
		expect(bias).toEqual(readFloat32(weights, 'score.bias'));
		expect(bias.some((value) => value !== 0)).toBe(true);
		const dense = readFloat32(weights, 'classifier.dense.weight'); // [32, 32]
		expect(dense.subarray(0, 7 * 32)).toEqual(readFloat32(weights, 'score.dense.weight'));
		expect(dense.subarray(7 * 32).every((value) => value === 0)).toBe(true);
		const score = readFloat32(weights, 'classifier.out_proj.weight'); // [2, 32]
		expect([...score.subarray(32, 39)]).toEqual([...readFloat32(weights, 'score.weight').subarray(7, 14)]);
		weights.close();
	});

	it.each(['bf16', 'f16'] as const)(
		'is written in %s, in shards, and opened as a base again',
		async (type) => {
			const { run } = makeRun();
			const { output, files, difference, bytes } = await merge(run, { type, maxShardBytes: 20_000 });
			expect(files.length).toBeGreaterThan(2);
			expect(difference!.largest).toBeGreaterThan(0);
			expect(difference!.largest).toBeLessThan(0.1);
			const folder = openModelFolder(output);
			expect(folder.config.languageHead).toBe('tied');
			const names = expectedTensors(folder.config).map(({ name }) => name);
			expect(names.map((name) => folder.weights.info(name)!.dtype)).toEqual(
				names.map(() => (type === 'f16' ? 'F16' : 'BF16')),
			);
			expect(bytes).toBe(
				folder.weights.names.reduce((sum, name) => sum + folder.weights.info(name)!.byteLength, 0),
			);
			folder.close();
		},
	);

	it('leaves in 4 bits with its head, which stays as it is', async () => {
		const { run } = makeRun();
		const { output } = await merge(run);
		const quantised = path.join(temporaryFolder(), 'quantised');
		const options = { type: 'nf4', doubleQuantization: true, overwrite: false } as const;
		const quantized = await quantizeModel({ model: output, output: quantised, ...options });
		const [before, after] = [output, quantised].map((folder) => {
			const source = openWeights(folder);
			const head = readFloat32(source, 'score.weight');
			source.close();
			return head;
		});
		expect(after).toEqual(before);
		const [warning] = quantized.warnings;
		expect(warning).toMatch(/quantised \(nf4\) after its threshold and calibration had been chosen/);
		expect(describeQuantization(quantized)).toContain(warning);
		const notes: string[] = [];
		const scorer = await openScorer(quantised, { overrides: onReference, note: (line) => notes.push(line) });
		scorer.free();
		expect(notes).toContain(warning);
		const { quantization_config: quantization } = configOf(quantised);
		expect(quantization.llm_int8_skip_modules).toEqual(['score', 'lm_head']);
		// transformers refuses it as a whole number, which is what JSON here would say
		expect(quantization).not.toHaveProperty('llm_int8_threshold');
		const merged = await scoresOf(output);
		for (const [i, score] of (await scoresOf(quantised)).entries()) {
			expect(score).toBeGreaterThan(0);
			expect(score).toBeLessThan(1);
			expect(score).not.toBe(merged[i]);
		}
	});

	it('gives the same bytes when it is merged twice, and leaves nothing where it is stopped', async () => {
		const { run } = makeRun();
		const [first, second] = [await merge(run), await merge(run)];
		for (const file of readdirSync(first.output)) {
			expect(readFileSync(path.join(second.output, file))).toEqual(
				readFileSync(path.join(first.output, file)),
			);
		}
		const parent = temporaryFolder();
		const stopped = merge(run, { output: path.join(parent, 'merged'), signal: AbortSignal.abort() });
		await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
		expect(readdirSync(parent)).toEqual([]);
	});
});

describe('a merge is refused', () => {
	it('on another base than the adapter was made on, unless it is allowed, and over what is there', async () => {
		const { run, model } = makeRun();
		const other = writeTinyModel(path.join(temporaryFolder(), 'other'), {
			...tinyShapes.llama,
			rms_norm_eps: 1e-6,
		} as never);
		const overrides = { ...onReference, model: other };
		await expect(merge(run, { overrides })).rejects.toMatchObject({ code: 'BASE_MISMATCH' });
		const notes: string[] = [];
		const options = { overrides, allowOtherBase: true, note: (line: string) => void notes.push(line) };
		expect((await merge(run, options)).base).toBe(other);
		expect(notes.join()).toContain('--allow-other-base');
		const link = path.join(temporaryFolder(), 'link');
		symlinkSync(model, link);
		for (const output of [model, link, path.join(run, 'adapter')]) {
			const replaced = merge(run, { output, overwrite: true });
			await expect(replaced, output).rejects.toMatchObject({ code: 'MODEL_OUTPUT_SAME' });
		}
		await expect(merge(run, { output: run })).rejects.toMatchObject({
			code: 'MODEL_OUTPUT_EXISTS',
		});
	});

	it('where there is no run, and of one that has nothing yet', async () => {
		await expect(merge(temporaryFolder())).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
		const { run } = makeRun();
		renameSync(path.join(run, 'adapter'), path.join(run, 'away'));
		await expect(merge(run)).rejects.toMatchObject({ code: 'RUN_UNFINISHED' });
	});
});

it('merges an adapter that another tool saved onto the base as it is, and says that the base was not checked', async () => {
	const { run, model } = makeRun();
	const adapter = temporaryFolder();
	for (const file of ['adapter_config.json', 'adapter_model.safetensors']) {
		writeFileSync(path.join(adapter, file), readFileSync(path.join(run, 'adapter', file)));
	}
	const notes: string[] = [];
	const report = await merge(adapter, { note: (line) => void notes.push(line) });
	expect(report).toMatchObject({ base: model, architecture: 'LlamaForSequenceClassification' });
	expect(report.difference).toMatchObject({ functions: 'built-in' });
	expect(report.difference!.largest).toBeLessThan(1e-5);
	expect(notes.join()).toContain('does not say which base');
	expect(readdirSync(report.output)).not.toContain('vulntune.json');
	// nor has what was merged on a detector that one's threshold and n-grams
	const detector = await merge(makeRun({ 'method.stack': 'ngram' }).run, { compare: 0 });
	const files = ['ngram-stack.json', 'vulntune.json'];
	expect(readdirSync(detector.output)).toEqual(expect.arrayContaining(files));
	const onDetector = await merge(adapter, {
		compare: 0,
		overrides: { ...onReference, model: detector.output },
	});
	expect(readdirSync(onDetector.output).filter((name) => files.includes(name))).toEqual([]);
	const away = { overrides: { ...onReference, model: path.join(adapter, 'nowhere') } };
	await expect(merge(adapter, away)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});

it.each([{ 'method.type': 'head' }, {}, { 'method.type': 'full' }])(
	'has no head of less than was trained, whatever is said beside it: %o',
	async (options) => {
		const { run } = makeRun({ ...options, 'method.stack': 'ngram' });
		// as someone would edit it who wants an export in spite of EXPORT_STACK
		for (const [file, change] of [
			['adapter/vulntune.json', ({ stack: _stack, ...rest }: Edited) => rest],
			['config.yaml', (config: Edited) => ({ ...config, method: { ...config.method, stack: null } })],
		] as const) {
			const text = readFileSync(path.join(run, file), 'utf8');
			writeFileSync(path.join(run, file), JSON.stringify(change(JSON.parse(text))));
		}
		const refused = { code: 'ADAPTER_MISMATCH', summary: expect.stringContaining('score.stack.weight') };
		const to = { to: 'onnx', output: path.join(run, 'model.onnx'), overwrite: false } as const;
		const exported = exportModel({ run, overrides: onReference, allowOtherBase: false, ...to });
		await expect(exported).rejects.toMatchObject(refused);
		await expect(merge(run, { compare: 0 })).rejects.toMatchObject(refused);
	},
);

describe('the matrices of an adapter', () => {
	/** An adapter of PEFT's with its tensors under other names; `undefined` leaves one out. */
	function renamed(run: string, rename: (name: string) => string | undefined, width?: number): string {
		const folder = temporaryFolder();
		const config = readFileSync(path.join(run, 'adapter', 'adapter_config.json'));
		writeFileSync(path.join(folder, 'adapter_config.json'), config);
		const source = openSafetensors(path.join(run, 'adapter', 'adapter_model.safetensors'));
		const entries = [...source.tensors].flatMap(([stored, { dtype, shape }]) => {
			const name = rename(stored);
			const cut = width === undefined || !stored.includes('lora_A') ? shape : [shape[0]!, width];
			const data = source.read(stored).subarray(0, 4 * cut.reduce((a, b) => a * b, 1));
			return name === undefined ? [] : [{ name, dtype, shape: cut, data }];
		});
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), entries, { format: 'pt' });
		source.close();
		return folder;
	}

	const valuesOf = (folder: string) => {
		const weights = openWeights(folder);
		const values = Object.fromEntries(weights.names.map((name) => [name, readFloat32(weights, name)]));
		weights.close();
		return values;
	};

	it('are added under the names of a base that was saved by itself too', async () => {
		const { run } = makeRun();
		const bare = renamed(run, (name) => name.replace('base_model.model.model.', 'base_model.model.'));
		const [expected, found] = [await merge(run, { compare: 0 }), await merge(bare, { compare: 0 })];
		expect(valuesOf(found.output)).toEqual(valuesOf(expected.output));
	});

	it.each<[string, Parameters<typeof renamed>[1], number?]>([
		['of a layer that the base lacks', (name) => name.replace('layers.1.', 'layers.7.')],
		['of another width', (name) => name, 16],
		['fewer than its config says', (name) => (name.includes('layers.1.mlp.up_proj') ? undefined : name)],
		['beside a head of more than its options', (name) => name.replace('score.weight', 'score.bias')],
	])('%s are refused by merge and export, with nothing compared', async (_, rename, width) => {
		const adapter = renamed(makeRun().run, rename, width);
		const refused = { code: 'ADAPTER_MISMATCH' };
		await expect(merge(adapter, { compare: 0 })).rejects.toMatchObject(refused);
		const options = {
			to: 'gguf',
			type: 'f16',
			output: path.join(adapter, 'x.gguf'),
			overwrite: false,
		} as const;
		const from = { run: adapter, overrides: onReference, allowOtherBase: false };
		await expect(exportModel({ ...from, ...options })).rejects.toMatchObject(refused);
	});
});

it('refuses a weight beyond the numbers of the type that is written, in merge and export', async () => {
	const { run, model } = makeRun();
	const file = path.join(model, 'model.safetensors');
	const source = openSafetensors(file);
	const entries = [...source.tensors].map(([name, { dtype, shape }]) => {
		const data = source.read(name);
		if (name.endsWith('1.mlp.up_proj.weight')) new Float32Array(data.buffer, data.byteOffset)[3] = 1e6;
		return { name, dtype, shape, data };
	});
	source.close();
	writeSafetensors(file, entries, { format: 'pt' });
	const options = { allowOtherBase: true, compare: 0 };
	const refused = { code: 'EXPORT_RANGE', place: 'model.layers.1.mlp.up_proj.weight' };
	await expect(merge(run, { ...options, type: 'f16' })).rejects.toMatchObject(refused);
	expect((await merge(run, { ...options, type: 'bf16' })).adapted).toBe(14);
	const gguf = {
		to: 'gguf',
		output: path.join(run, 'x.gguf'),
		overwrite: true,
		overrides: onReference,
	} as const;
	await expect(exportModel({ run, ...gguf, ...options, type: 'f16' })).rejects.toMatchObject(refused);
	expect((await exportModel({ run, ...gguf, ...options, type: 'q8_0' })).tensors).toBe(20);
});

describe('a detector whose head sees n-grams', () => {
	const stacked = { 'method.stack': 'ngram' };

	it('keeps them for vulntune when it is merged, and says what transformers lacks', async () => {
		const { run } = makeRun(stacked);
		const output = path.join(temporaryFolder(), 'merged');
		const report = await merge(run, { output });
		expect(report.architecture).toBe('LlamaModel');
		expect(report.warnings).toEqual([
			expect.stringMatching(/score of n-grams.*other numbers.*ngram-stack\.json/),
		]);
		expect(report.difference!.largest).toBeLessThan(1e-5);
		const [before, after, without] = [
			await scoresOf(run),
			await scoresOf(output),
			await scoresOf(makeRun().run),
		];
		for (const [f, score] of before.entries()) {
			expect(after[f]).toBeCloseTo(score, 5);
			expect(Math.abs(score - without[f]!)).toBeGreaterThan(1e-4);
		}
		const small = path.join(temporaryFolder(), 'small');
		await quantizeModel({
			model: output,
			output: small,
			type: 'int8',
			doubleQuantization: false,
			overwrite: false,
		});
		expect((await scoresOf(small))[0]).toBeCloseTo(before[0]!, 1);
		expect(describeModel(readModelInfo(small))).toContain('int8');
	});

	it.each(['gguf', 'onnx'] as const)('is not written as %s, which would give other scores', async (to) => {
		const { run } = makeRun(stacked);
		const output = path.join(temporaryFolder(), `model.${to}`);
		const from = { run, overrides: onReference, allowOtherBase: false };
		const exported = exportModel({ ...from, to, output, overwrite: false });
		await expect(exported).rejects.toMatchObject({ code: 'EXPORT_STACK', kind: 'input' });
		expect(readdirSync(path.dirname(output))).toEqual([]);
	});
});
