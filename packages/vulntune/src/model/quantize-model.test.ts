import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
	Arena,
	type BaseType,
	type Context,
	createReferenceBackend,
	expectedTensors,
	linear,
	loadModel,
	openModelFolder,
	quantizedTypes,
	uploadIndices,
	uploadSegments,
	type VulntuneError,
	writeSafetensors,
} from '@vulntune/engine';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { type QuantizeOptions, quantizeModel } from './quantize-model.ts';
import { describeQuantization } from './quantize-text.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-quantize-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const newPath = () => path.join(scratch, String(folders++), 'model');
const tiny = writeTinyModel(newPath());

function quantize(options: Partial<QuantizeOptions> = {}) {
	return quantizeModel({
		model: tiny,
		output: newPath(),
		type: 'nf4',
		doubleQuantization: true,
		overwrite: false,
		...options,
	});
}

async function thrownBy(options: Partial<QuantizeOptions>): Promise<VulntuneError> {
	return (await quantize(options).then(
		() => expect.unreachable('nothing was thrown'),
		(error) => error,
	)) as VulntuneError;
}

/** Logits [T, V] of the first ids of the vocabulary on the reference backend. */
function logitsOf(folder: string, base: BaseType, doubleQuantization: boolean): Float32Array {
	const backend = createReferenceBackend();
	const opened = openModelFolder(folder);
	const { model, free } = loadModel(backend, opened, { base, doubleQuantization, maxPositions: 16 });
	const context: Context = {
		backend,
		precision: 'fp32',
		arena: new Arena(backend),
		tape: undefined,
		dropoutSeed: undefined,
	};
	const ids = Int32Array.from({ length: 12 }, (_, i) => (7 * i) % opened.config.vocabularySize);
	const hidden = model.hidden(context, {
		ids: uploadIndices(context, ids),
		positions: uploadIndices(
			context,
			Int32Array.from(ids, (_, i) => i),
		),
		segments: uploadSegments(context, Int32Array.of(0, 5, 12)),
	}); // [T, H]
	const logits = linear(context, hidden, { weight: model.outputMatrix! }); // [T, V]
	const values = Float32Array.from(backend.download(logits));
	context.arena.close();
	free();
	opened.close();
	backend.close();
	return values;
}

const fixtures = needsShared('fixtures/models');
const readConfig = (folder: string) => JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
/** Unquantised models of the Llama family. */
const originals = fixtures.skip
	? []
	: readdirSync(fixtures.path).filter((name) => {
			const { model_type: type, quantization_config: quantization } = readConfig(
				path.join(fixtures.path, name),
			);
			return type === 'llama' && quantization === undefined;
		});
/** Every type for the first of them, nf4 for all. */
const cases = [
	...quantizedTypes.map((type) => [originals[0], type, true] as const),
	[originals[0], 'fp4', false] as const,
	...originals.map((name) => [name, 'nf4', false] as const),
];

describe.skipIf(fixtures.skip)('a quantised fixture', () => {
	test.each(cases)(
		'%s as %s (double quantisation %s) opens without the original and gives the logits of quantising on loading',
		async (name, type, doubleQuantization) => {
			const original = path.join(fixtures.path, name!);
			const output = newPath();
			const report = await quantize({ model: original, output, type, doubleQuantization });
			const expected = logitsOf(original, type, doubleQuantization);
			expect(logitsOf(output, type, doubleQuantization)).toEqual(expected);
			expect(expected).not.toEqual(logitsOf(original, 'fp32', false));
			expect(report.bytesAfter).toBeLessThan(report.bytesBefore);
			expect(report.total.relativeRms).toBeGreaterThan(0);
			expect(readdirSync(path.dirname(output))).toEqual(['model']);
			const { quantization_config: quantization, ...config } = readConfig(output);
			expect(config).toEqual(readConfig(original));
			if (type !== 'nf4') return;
			const { dtype, torch_dtype: dtypeInOldStyle } = config;
			expect(quantization.bnb_4bit_compute_dtype).toBe(dtype ?? dtypeInOldStyle);
		},
	);
});

test.each(['llama', 'gptBigCode', 'roberta', 'bert', 'modernBert'] as const)(
	'computes in the type of its weights: %s',
	async (shape) => {
		const model = writeTinyModel(newPath(), tinyShapes[shape]);
		const { config, weights, close } = openModelFolder(model);
		const entries = expectedTensors(config).map(({ name, shape }) => {
			const values = new Uint16Array(weights.read(name).slice().buffer).filter((_, half) => half % 2 === 1);
			return { name, dtype: 'BF16' as const, shape, data: new Uint8Array(values.buffer) };
		});
		close();
		writeSafetensors(path.join(model, 'model.safetensors'), entries, { format: 'pt' });
		const output = newPath();
		await quantize({ model, output });
		expect(readConfig(output).quantization_config.bnb_4bit_compute_dtype).toBe('bfloat16');
	},
);

test('errors are added up by kind of matrix', async () => {
	const { errors, total, bitsPerWeight, ...report } = await quantize({ type: 'int8' });
	expect(Object.keys(errors)).toEqual([
		'q_proj',
		'k_proj',
		'v_proj',
		'o_proj',
		'gate_proj',
		'up_proj',
		'down_proj',
	]);
	expect(errors.k_proj).toMatchObject({ matrices: 2, weights: 2 * 16 * 32 });
	const all = Object.values(errors);
	expect(total.matrices).toBe(14);
	expect(total.maxAbs).toBe(Math.max(...all.map(({ maxAbs }) => maxAbs)));
	const squares = all.reduce((sum, { rms, weights }) => sum + rms ** 2 * weights, 0);
	expect(total.rms).toBeCloseTo(Math.sqrt(squares / total.weights), 12);
	expect(total.relativeRms).toBeLessThan(0.01);
	expect(bitsPerWeight).toBeGreaterThan(8);
	const text = describeQuantization({ errors, total, bitsPerWeight, ...report });
	expect(text).toContain('down_proj');
	expect(text).toMatch(/all +14 /);
	// a base has no threshold that could no longer fit
	expect(report.warnings).toEqual([]);
});

test.each([
	['nf4', true, true],
	['fp4', true, true],
	['fp4', false, false],
	['int8', true, null],
] as const)(
	'of %s (double quantisation %s) the report says %s, and counts the bits that were written',
	async (type, doubleQuantization, reported) => {
		const report = await quantize({ type, doubleQuantization });
		expect(report.doubleQuantization).toBe(reported);
		const { weights, close } = openModelFolder(report.output);
		const parts = weights.names.filter((name) => name.includes('_proj.weight'));
		const bytes = parts.reduce((sum, name) => sum + weights.info(name)!.byteLength, 0);
		close();
		expect(report.bitsPerWeight).toBe((8 * bytes) / report.total.weights);
	},
);

test('large models are written in shards, with the tokenizer, and no rest beside them', async () => {
	const output = newPath();
	const { files } = await quantize({ output, maxShardBytes: 20_000 });
	expect(files.length).toBeGreaterThan(2);
	expect(files.at(-1)).toBe('model.safetensors.index.json');
	expect(readdirSync(output).sort()).toEqual(
		[...files, 'config.json', 'tokenizer.json', 'tokenizer_config.json'].sort(),
	);
	expect(logitsOf(output, 'nf4', true)).toEqual(logitsOf(tiny, 'nf4', true));
});

describe('the output folder', () => {
	test('that holds something is refused, a model in it is replaced with overwrite', async () => {
		const output = newPath();
		await quantize({ output, type: 'nf4', maxShardBytes: 20_000 });
		writeFileSync(path.join(output, 'notes.txt'), 'mine');
		expect(await thrownBy({ output })).toMatchObject({ code: 'MODEL_OUTPUT_EXISTS', place: output });
		await quantize({ output, type: 'int8', overwrite: true });
		expect(logitsOf(output, 'int8', true)).toEqual(logitsOf(tiny, 'int8', true));
		expect(readFileSync(path.join(output, 'notes.txt'), 'utf8')).toBe('mine');
		expect(readdirSync(output).filter((name) => name.endsWith('.safetensors'))).toEqual([
			'model.safetensors',
		]);
	});

	test('that is no model, is a file, or is the model itself is refused even with overwrite', async () => {
		const file = path.join(scratch, 'file');
		writeFileSync(file, '');
		for (const output of [path.dirname(tiny), file]) {
			expect((await thrownBy({ output, overwrite: true })).code).toBe('MODEL_OUTPUT_EXISTS');
		}
		const same = await thrownBy({ output: `${tiny}/../model`, overwrite: true });
		expect(same.code).toBe('MODEL_OUTPUT_SAME');
	});
});

test('a model that is quantised already is refused', async () => {
	const output = newPath();
	await quantize({ output });
	expect(await thrownBy({ model: output })).toMatchObject({ code: 'MODEL_QUANTIZED', place: output });
	for (const base of ['fp4', 'int8', 'normal3'] as const) {
		expect(() => logitsOf(output, base, true)).toThrow(
			expect.objectContaining({ code: 'MODEL_QUANTIZED', place: 'method.base' }),
		);
	}
});

describe('what stops half-way leaves nothing', () => {
	afterEach(() => {
		vi.restoreAllMocks();
		syncBuiltinESMExports();
	});

	/** Fails a call of the file system, after some that went well. */
	function failing(name: 'read' | 'write', code: string, after: number): void {
		const whole = fs[name] as (...parameters: unknown[]) => void;
		let calls = 0;
		vi.spyOn(fs, name).mockImplementation(((...parameters: unknown[]) => {
			calls += 1;
			if (calls <= after) return whole(...parameters);
			(parameters.at(-1) as (error: Error) => void)(Object.assign(new Error(`${code}: simulated`), { code }));
		}) as never);
		syncBuiltinESMExports();
	}

	test.each([
		// the header, before anything is read
		['of a full disk', 'write', 'ENOSPC', 0, 'DISK_FULL'],
		['of a full disk, half-way', 'write', 'ENOSPC', 20, 'DISK_FULL'],
		['of a disk that fails to read', 'read', 'EIO', 3, 'DISK_FAILURE'],
	] as const)('because %s', async (_, name, code, after, expected) => {
		const output = newPath();
		failing(name, code, after);
		expect(await thrownBy({ output })).toMatchObject({ code: expected, kind: 'resources' });
		expect(readdirSync(path.dirname(output))).toEqual([]);
	});

	test('because of an interruption', async () => {
		const output = newPath();
		const controller = new AbortController();
		const progress = (done: number) => void (done === 3 && controller.abort());
		expect(await thrownBy({ output, signal: controller.signal, progress })).toMatchObject({
			code: 'INTERRUPTED',
			kind: 'interrupted',
		});
		expect(existsSync(output)).toBe(false);
		expect(readdirSync(path.dirname(output))).toEqual([]);
	});
});
