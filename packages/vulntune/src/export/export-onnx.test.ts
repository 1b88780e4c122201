import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type GraphValue, runGraph } from '@vulntune/engine/exports/onnx/testing/run-graph.ts';
import { readOnnx } from '@vulntune/engine/formats/onnx/testing/read-onnx.ts';
import { families } from '@vulntune/engine/models/families.ts';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyShapes } from '../../../../tests/tiny.ts';
import { type ExportOptions, exportModel } from './export-model.ts';
import { type MadeOptions, makeRun, type TinyShape } from './testing/made-run.ts';
import { type Reference, referenceOf } from './testing/reference.ts';

const short = { 'sequence.length': '32' };

function exportRun(run: string, options: Partial<ExportOptions> = {}) {
	const from = { overrides: { 'backend.type': 'reference' }, allowOtherBase: false, overwrite: false };
	const output = path.join(temporaryFolder(), 'model.onnx');
	return exportModel({ ...from, run, to: 'onnx', output, ...options });
}

/** Ids and mask [functions, longest + 1] with padding on a side; every row has some. */
function batchOf(rows: readonly (readonly number[])[], pad: number, side: 'left' | 'right') {
	const width = Math.max(...rows.map(({ length }) => length)) + 1;
	const padded = (of: (row: readonly number[]) => readonly number[], filler: number): GraphValue => {
		const data = rows.flatMap((row) => {
			const padding = Array<number>(width - row.length).fill(filler);
			return side === 'left' ? [...padding, ...of(row)] : [...of(row), ...padding];
		});
		return { type: 'int64', shape: [rows.length, width], data: Float64Array.from(data) };
	};
	return {
		input_ids: padded((row) => row, pad),
		attention_mask: padded((row) => row.map(() => 1), 0),
	};
}

/** Largest difference of a file's logits from the detector's, all functions in one batch. */
function differenceOf(file: string, { ids, pad, logits }: Reference, side: 'left' | 'right'): number {
	const found = runGraph(readOnnx(file), batchOf(ids, pad, side)).get('logits')!;
	expect(found).toMatchObject({ type: 'float', shape: [ids.length, 2] });
	return Math.max(...logits.flat().map((value, i) => Math.abs(value - found.data[i]!)));
}

const encoderHead = { 'head.pool': 'first', 'head.hidden': '5', 'head.bias': 'true' };

const detectors: readonly (readonly [string, TinyShape, MadeOptions])[] = [
	['llama', tinyShapes.llama, {}],
	['llama, mean and a hidden layer', tinyShapes.llama, { 'head.pool': 'mean', 'head.hidden': '5' }],
	['llama, on a quantised base', tinyShapes.llama, { 'method.type': 'qlora', 'method.base': 'nf4' }],
	['mistral', tinyShapes.mistral, {}],
	['qwen2', tinyShapes.qwen2, { 'head.pool': 'max' }],
	['qwen3', tinyShapes.qwen3, {}],
	['qwen3, mean and maximum', tinyShapes.qwen3, { 'head.pool': 'meanMax' }],
	['starcoder2', tinyShapes.starcoder2, {}],
	['gpt_bigcode', tinyShapes.gptBigCode, {}],
	['gpt_neox', tinyShapes.gptNeox, {}],
	['roberta', tinyShapes.roberta, encoderHead],
	['roberta, mean', tinyShapes.roberta, { 'head.pool': 'mean' }],
	['bert', tinyShapes.bert, encoderHead],
	['bert, mean and maximum', tinyShapes.bert, { 'head.pool': 'meanMax', 'head.hidden': '5' }],
	['bert, last', tinyShapes.bert, { 'head.pool': 'last' }],
	['modernbert', tinyShapes.modernBert, { 'head.pool': 'max' }],
];

describe('an ONNX file', () => {
	it.each(detectors)('has the logits of %s, in a batch padded on either side', async (_, shape, options) => {
		const { run } = makeRun({ ...short, ...options }, shape);
		const [{ files }, reference] = [await exportRun(run), await referenceOf(run)];
		const magnitude = Math.max(...reference.logits.flat().map(Math.abs));
		for (const side of ['right', 'left'] as const) {
			expect(differenceOf(files[0]!, reference, side)).toBeLessThan(2e-5 * Math.max(1, magnitude));
		}
	});

	it('is compared for every family that is read', () => {
		const compared = new Set(detectors.map(([, { model_type: type }]) => type));
		expect(families.map(({ name }) => name).filter((name) => !compared.has(name))).toEqual([]);
	});

	it('reads a text without tokens by what stands before it', async () => {
		const { run } = makeRun({ ...short, 'head.pool': 'mean' }, tinyShapes.roberta);
		const { files } = await exportRun(run);
		const reference = await referenceOf(run, ['', 'int f() { return 1; }']);
		expect(reference.ids[0]).toHaveLength(2);
		expect(differenceOf(files[0]!, reference, 'right')).toBeLessThan(2e-5);
	});

	it('has named inputs of any size, each constant once and used, and says how it is fed', async () => {
		const { run } = makeRun(short);
		const told: number[][] = [];
		const { files, tensors, type, warnings } = await exportRun(run, {
			progress: (...numbers) => told.push(numbers),
		});
		expect([told[0], told.at(-1)]).toEqual([
			[1, 20],
			[20, 20],
		]);
		expect(told).toHaveLength(20);
		expect(tensors).toBe(21);
		const graph = readOnnx(files[0]!);
		const size = ['batch', 'sequence'];
		expect(graph).toMatchObject({
			opset: 17,
			irVersion: 8,
			inputs: [
				{ name: 'input_ids', type: 7, shape: size },
				{ name: 'attention_mask', type: 7, shape: size },
			],
			outputs: [{ name: 'logits', type: 1, shape: ['batch', 2] }],
		});
		const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
		expect([...graph.constants.keys()].filter((name) => !used.has(name))).toEqual([]);
		expect(type).toBe('fp32');
		expect(warnings).toEqual([
			expect.stringMatching(/Opset 17\..*none added.*at most 31.*White space/),
			expect.stringMatching(/softmax.*from 0\.5 on/),
		]);
		const encoder = makeRun({ ...short, 'head.pool': 'first' }, tinyShapes.bert);
		expect((await exportRun(encoder.run)).warnings[0]).toMatch(/between.*begin and end.*at most 32/);
		const windows = makeRun({ ...short, 'sequence.largeFunctions': 'window' });
		expect((await exportRun(windows.run)).warnings[2]).toMatch(/one window at a time/);
	});

	it('keeps weights in a file beside it above a size, on pages of their own, and the same bytes each time', async () => {
		const { run } = makeRun(short);
		const [inside, first, second] = [
			await exportRun(run),
			await exportRun(run, { maxBytes: 10_000 }),
			await exportRun(run, { maxBytes: 10_000 }),
		];
		expect(inside.files).toHaveLength(1);
		expect(first.files.map((file) => path.basename(file))).toEqual(['model.onnx', 'model.onnx.data']);
		expect(first.files.map((file) => readFileSync(file))).toEqual(
			second.files.map((file) => readFileSync(file)),
		);
		const [whole, split] = [readOnnx(inside.files[0]!), readOnnx(first.files[0]!)];
		for (const [name, { bytes, offset }] of split.constants) {
			expect(bytes, name).toEqual(whole.constants.get(name)!.bytes);
			expect(bytes.length < 1024 ? offset : offset! % 4096, name).toBe(bytes.length < 1024 ? undefined : 0);
		}
		expect(split.nodes).toEqual(whole.nodes);
		expect(first.bytes).toBeGreaterThan(inside.bytes);
	});

	it('is refused for the next token, with a type, and over either of its files', async () => {
		const nextToken = makeRun({ objective: 'nextToken' });
		await expect(exportRun(nextToken.run)).rejects.toMatchObject({ code: 'EXPORT_OBJECTIVE' });
		const { run } = makeRun(short);
		await expect(exportRun(run, { type: 'f16' })).rejects.toMatchObject({ code: 'USAGE' });
		const output = path.join(temporaryFolder(), 'model.onnx');
		writeFileSync(`${output}.data`, '');
		await expect(exportRun(run, { output })).rejects.toMatchObject({ code: 'EXPORT_OUTPUT_EXISTS' });
		const stop = new AbortController();
		stop.abort();
		const interrupted = exportRun(run, { output, overwrite: true, maxBytes: 0, signal: stop.signal });
		await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED' });
		expect([existsSync(output), readFileSync(`${output}.data`).length]).toEqual([false, 0]);
	});
});
