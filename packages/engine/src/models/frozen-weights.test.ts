import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isQuantized, type View } from '../backends/contract.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { emptyTensor } from '../backends/testing/tensors.ts';
import { elements } from '../backends/view.ts';
import { roundToBfloat16 } from '../formats/floats.ts';
import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import { smallConfig, smallTensors, writeSmallModel } from '../formats/testing/small-model.ts';
import { dequantizeMatrix, quantizeMatrix } from '../quantize/matrix.ts';
import { quantizedMatrixEntries } from '../quantize/stored-matrix.ts';
import { isQuantizedType } from '../quantize/types.ts';
import { hashStream, normalArray } from '../random/streams.ts';
import { expectedTensors } from './families.ts';
import { type BaseType, frozenWeights } from './frozen-weights.ts';
import { loadModel } from './load-model.ts';
import { openModelFolder } from './model-folder.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-frozen-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;

const name = 'model.layers.0.mlp.up_proj.weight';
const shape = [24, 16] as const;
const valuesOf = (tensor: string, length: number) => normalArray(2, hashStream(tensor), length);
const values = valuesOf(name, 24 * 16);

/** The small model with normal weights; its matrices as they are, or quantised. */
function modelFolder(stored?: 'int8' | 'quantile4') {
	const tensors = smallTensors().flatMap((tensor): SafetensorsEntry[] => {
		const data = valuesOf(tensor.name, elements(tensor.shape));
		if (stored === undefined || !/_proj\.weight$/.test(tensor.name)) {
			return [{ ...tensor, data: new Uint8Array(data.buffer) }];
		}
		const matrix = quantizeMatrix(data, tensor.shape as [number, number], stored);
		return quantizedMatrixEntries(tensor.name, matrix);
	});
	const quantization = { quantization_config: { quant_method: 'vulntune', quant_type: stored } };
	const config = stored === undefined ? smallConfig : { ...smallConfig, ...quantization };
	return openModelFolder(writeSmallModel(path.join(scratch, String(folders++)), config, tensors));
}

const bf16 = (source: Float32Array): Float32Array =>
	Float32Array.from(
		roundToBfloat16(source),
		(half) => new Float32Array(Uint32Array.of(half << 16).buffer)[0]!,
	);
const baseTypes = [
	'fp32',
	'bf16',
	'nf4',
	'fp4',
	'int8',
	'quantile2',
	'quantile8',
] as const satisfies BaseType[];

/** What a base makes of a matrix of floats. */
function expectedOf(base: BaseType, source: Float32Array, doubleQuantization = false): Float32Array {
	if (base === 'fp32') return source;
	if (base === 'bf16') return bf16(source);
	return dequantizeMatrix(quantizeMatrix(source, shape, base, { doubleQuantization, valueType: 'float32' }));
}

/** Places the up matrix and gives what kernels then see of it. */
function placed(folder: ReturnType<typeof modelFolder>, base: BaseType, doubleQuantization = false) {
	const backend = createReferenceBackend();
	const weights = frozenWeights(backend, folder.weights, base, doubleQuantization);
	const weight = weights.place({ name, shape, kind: 'linear' });
	const dense = emptyTensor(backend, shape);
	if (isQuantized(weight)) backend.dequantize(dense, weight);
	else backend.copy(dense, weight);
	const found = backend.download(dense);
	backend.free(dense.buffer);
	weights.free();
	expect(backend.memory().liveBuffers).toBe(0);
	return { found, isQuantized: isQuantized(weight) };
}

describe('frozen weights', () => {
	const folder = modelFolder();
	afterAll(() => folder.close());

	test.each(baseTypes)('%s places what its dequantisation gives', (base) => {
		const { found, ...kind } = placed(folder, base);
		expect(found).toEqual(expectedOf(base, values));
		expect(kind.isQuantized).toBe(isQuantizedType(base));
	});

	test('with double quantisation of the scales are other ones', () => {
		const { found } = placed(folder, 'nf4', true);
		expect(found).toEqual(expectedOf('nf4', values, true));
		expect(found).not.toEqual(expectedOf('nf4', values));
	});

	test.each(['nf4', 'fp4'] as const)(
		'%s refuses numbers that are not finite, and gives everything back',
		(base) => {
			const damaged = {
				...folder.weights,
				read: (tensor: string) => folder.weights.read(tensor).fill(255, 40, 44),
			};
			const backend = createReferenceBackend();
			const weights = frozenWeights(backend, damaged, base, true);
			expect(() => weights.place({ name, shape, kind: 'linear' })).toThrow(
				expect.objectContaining({
					code: 'QUANTIZE_NOT_FINITE',
					message: expect.stringContaining('element 10 is NaN'),
				}),
			);
			expect(backend.memory().liveBuffers).toBe(0);
		},
	);

	test.each(['int8', 'quantile4'] as const)('stored as %s are taken as they are, or made of it', (stored) => {
		const quantized = modelFolder(stored);
		const restored = dequantizeMatrix(quantizeMatrix(values, shape, stored));
		for (const base of ['fp32', stored] as const) expect(placed(quantized, base).found).toEqual(restored);
		for (const base of ['bf16', 'nf4'] as const) {
			expect(placed(quantized, base).found).toEqual(expectedOf(base, restored));
		}
		quantized.close();
	});

	test('keep everything outside of the blocks dense, and norms in full', () => {
		const tensorOf = (wanted: string) => expectedTensors(folder.config).find(({ name }) => name === wanted)!;
		const backend = createReferenceBackend();
		const weights = frozenWeights(backend, folder.weights, 'nf4', false);
		const embedding = weights.place(tensorOf('model.embed_tokens.weight')) as View;
		const head = weights.place(tensorOf('lm_head.weight')) as View;
		const norm = weights.place(tensorOf('model.norm.weight')) as View;
		expect([embedding.dtype, head.dtype, norm.dtype]).toEqual(['f32', 'f32', 'f32']);
		expect(backend.download(norm)).toEqual(valuesOf('model.norm.weight', 16));
		weights.free();
		const rounded = frozenWeights(backend, folder.weights, 'bf16', false);
		expect((rounded.place(tensorOf('model.embed_tokens.weight')) as View).dtype).toBe('bf16');
		expect((rounded.place(tensorOf('model.norm.weight')) as View).dtype).toBe('f32');
		rounded.free();
		expect(backend.memory().liveBuffers).toBe(0);
	});

	test.each(baseTypes)('of a whole model in %s are given back with it', (base) => {
		const backend = createReferenceBackend();
		const model = loadModel(backend, folder, { base, doubleQuantization: false, maxPositions: 4 });
		expect(backend.memory().liveBuffers).toBeGreaterThan(12);
		model.free();
		expect(backend.memory().liveBuffers).toBe(0);
	});

	test('that end in the middle of a model give back what was placed', () => {
		const backend = createReferenceBackend();
		let given = 0;
		const scarce = {
			...backend,
			allocate: (...values: Parameters<typeof backend.allocate>) => {
				if (++given > 9) throw new Error('no memory');
				return backend.allocate(...values);
			},
		};
		const options = { base: 'nf4', doubleQuantization: false, maxPositions: 4 } as const;
		expect(() => loadModel(scarce, folder, options)).toThrow('no memory');
		expect(backend.memory().liveBuffers).toBe(0);
	});
});
