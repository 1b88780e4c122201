import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadTokenizer, openModelFolder, openSafetensors, openWeights, readFloat32 } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyShapes } from '../../../../tests/tiny.ts';
import { type ExportOptions, exportModel } from './export-model.ts';
import { mergeModel } from './merge-model.ts';
import { makeRun } from './testing/made-run.ts';

const from = { overrides: { 'backend.type': 'reference' }, allowOtherBase: false, overwrite: false };

function exportRun(run: string, options: Partial<ExportOptions> = {}) {
	const output = path.join(temporaryFolder(), 'model.gguf');
	return exportModel({ ...from, run, to: 'gguf', type: 'f16', output, ...options });
}

async function mergedTensors(run: string): Promise<ReadonlyMap<string, Float32Array>> {
	const output = path.join(temporaryFolder(), 'merged');
	await mergeModel({ ...from, run, output, type: 'fp32', compare: 0 });
	const weights = openWeights(output);
	const tensors = new Map(weights.names.map((name) => [name, readFloat32(weights, name)]));
	weights.close();
	return tensors;
}

describe('a GGUF file', () => {
	it.each([
		['llama', tinyShapes.llama, {}],
		['llama with the next-token objective', tinyShapes.llama, { objective: 'nextToken' }],
		[
			"llama with Llama 3's positions",
			{
				...tinyShapes.llama,
				rope_theta: 500_000,
				rope_scaling: {
					rope_type: 'llama3',
					factor: 8,
					low_freq_factor: 1,
					high_freq_factor: 4,
					original_max_position_embeddings: 8192,
				},
			},
			{},
		],
		[
			'llama with linear scaling and an output matrix',
			{
				...tinyShapes.llama,
				tie_word_embeddings: false,
				rope_scaling: { rope_type: 'linear', factor: 4 },
			},
			{ objective: 'nextToken' },
		],
		['gpt_bigcode', tinyShapes.gptBigCode, {}],
	])('is read back as the merged %s, tokenizer and all', async (_, shape, options) => {
		const { run, model } = makeRun(options, shape);
		const { files } = await exportRun(run);
		const [file] = files as [string];
		const [original, written] = [openModelFolder(model), openModelFolder(file)];
		const { dtype: _dtype, padTokenId: _pad, ...config } = written.config;
		expect(config).toEqual(
			expect.objectContaining(
				Object.fromEntries(
					Object.entries(original.config).filter(
						([key]) => Object.hasOwn(config, key) && key !== 'languageHead',
					),
				),
			),
		);
		const expected = await mergedTensors(run);
		for (const name of written.weights.names) {
			const values = readFloat32(written.weights, name);
			const rounded = Float32Array.from(expected.get(name)!, Math.f16round);
			const isMatrix = written.weights.info(name)!.dtype === 'F16';
			expect(values, name).toEqual(isMatrix ? rounded : expected.get(name));
		}
		expect([...expected.keys()].filter((name) => !name.startsWith('score.')).toSorted()).toEqual(
			written.weights.names.toSorted(),
		);
		const [own, inside] = [loadTokenizer(model), loadTokenizer(file)];
		for (const text of ['int f(int a12) { return a  + 1; }', 'é\n\t\u{1f600} "x"']) {
			expect([...inside.encode(text)]).toEqual([...own.encode(text)]);
		}
		original.close();
		written.close();
	});

	it('has the head of a classifier beside it, which llama.cpp does not run, and says how it is used', async () => {
		const { run } = makeRun({ 'head.pool': 'mean', 'head.hidden': '5' });
		const { files, warnings } = await exportRun(run);
		expect(warnings[0]).toMatch(/tanh\(score\.dense\.weight.*pooling mean/);
		const head = openSafetensors(files[1]!);
		head.close();
		expect([...head.tensors.keys()].toSorted()).toEqual([
			'score.dense.bias',
			'score.dense.weight',
			'score.weight',
		]);
		const both = await exportRun(makeRun({ 'head.pool': 'meanMax' }).run);
		expect(both.warnings[0]).toMatch(/no pooling by meanMax.*\(their mean, and behind it their maximum\)/);
		const biased = makeRun({ 'head.bias': 'true' });
		expect((await exportRun(biased.run)).warnings[0]).toContain('score.weight · state + score.bias of');
		const nextToken = makeRun({ objective: 'nextToken' });
		expect(await exportRun(nextToken.run)).toMatchObject({ warnings: [], files: [expect.any(String)] });
	});

	it('warns where sequences are longer than the window in which the model attends', async () => {
		const { run } = makeRun({ objective: 'nextToken' }, tinyShapes.mistral);
		expect((await exportRun(run)).warnings).toEqual([expect.stringMatching(/within 12 tokens.*up to 96/)]);
	});

	it('has the same bytes when it is written twice, in each type', async () => {
		const { run } = makeRun({}, { ...tinyShapes.llama, hidden_size: 64 });
		const sizes: number[] = [];
		for (const type of ['f16', 'q8_0', 'q4_0'] as const) {
			const [first, second] = [await exportRun(run, { type }), await exportRun(run, { type })];
			const [bytes, again] = [first, second].map(({ files }) => readFileSync(files[0]!));
			expect(again).toEqual(bytes);
			sizes.push(bytes!.length);
		}
		expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
	});

	it('is refused for an encoder, another activation, a tokenizer that llama.cpp has no name for, and over a file', async () => {
		const encoder = makeRun({ 'head.pool': 'first' }, tinyShapes.roberta);
		await expect(exportRun(encoder.run)).rejects.toMatchObject({ code: 'EXPORT_FAMILY' });
		const both = makeRun({ 'method.bidirectionalLayers': '1' });
		await expect(exportRun(both.run)).rejects.toMatchObject({ code: 'EXPORT_BIDIRECTIONAL' });
		const exact = makeRun({}, { ...tinyShapes.gptBigCode, activation_function: 'gelu' });
		await expect(exportRun(exact.run)).rejects.toThrow(/activation_function/);
		const output = path.join(temporaryFolder(), 'model.gguf');
		writeFileSync(output, '');
		await expect(exportRun(encoder.run, { output })).rejects.toMatchObject({ code: 'EXPORT_OUTPUT_EXISTS' });
		const plain = makeRun();
		expect((await exportRun(plain.run, { output, overwrite: true })).tensors).toBe(20);
		expect((await exportRun(plain.run, { output, overwrite: true })).tensors).toBe(20);
		const config = path.join(plain.run, 'config.yaml');
		const before = readFileSync(config);
		for (const to of ['gguf', 'onnx'] as const) {
			const replaced = exportRun(plain.run, { to, type: undefined, output: config, overwrite: true });
			await expect(replaced, to).rejects.toMatchObject({ code: 'EXPORT_OUTPUT_EXISTS', place: config });
		}
		expect(readFileSync(config)).toEqual(before);
		const other = makeRun({}, tinyShapes.llama, undefined, (tokenizer) => {
			tokenizer.pre_tokenizer = { type: 'Whitespace' };
		});
		await expect(exportRun(other.run)).rejects.toMatchObject({ code: 'EXPORT_TOKENIZER' });
	});

	it("replaces no file of the run's adapter or base, by whatever link it is named", async () => {
		const { run, model } = makeRun();
		const link = path.join(temporaryFolder(), 'link.gguf');
		const weights = path.join(model, 'model.safetensors');
		symlinkSync(weights, link);
		for (const output of [weights, link, path.join(run, 'adapter', 'adapter_model.safetensors')]) {
			const replaced = exportRun(run, { output, overwrite: true });
			await expect(replaced, output).rejects.toMatchObject({ code: 'MODEL_OUTPUT_SAME', place: output });
		}
		const { files } = await exportRun(run, { output: path.join(model, 'new.gguf') });
		const onFile = { 'backend.type': 'reference', model: files[0]! };
		const own = exportRun(run, {
			overrides: onFile,
			allowOtherBase: true,
			output: files[0]!,
			overwrite: true,
		});
		await expect(own).rejects.toMatchObject({ code: 'MODEL_OUTPUT_SAME' });
	});
});
