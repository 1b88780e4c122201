import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VulntuneError } from '../errors.ts';
import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import { damaged } from '../formats/testing/damage.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { normalArray } from '../random/streams.ts';
import { dequantizeMatrix, quantizeMatrix } from './matrix.ts';
import type { QuantileMatrix } from './quantile-matrix.ts';
import { quantizedMatrixEntries, readQuantizedMatrix } from './stored-matrix.ts';
import { quantizedTypes } from './types.ts';

const name = 'layer.weight';
const [rows, columns] = [37, 15];
const weights = normalArray(1, 1, rows * columns, 0.05); // [37 · 15]: an odd number of elements, a short last block

/** A checkpoint in memory. */
function sourceOf(entries: readonly SafetensorsEntry[]): WeightSource {
	const byName = new Map(entries.map((entry) => [entry.name, entry]));
	const bytesOf = (tensor: string) => new Uint8Array(byName.get(tensor)!.data as Uint8Array);
	return {
		place: 'model.safetensors',
		names: [...byName.keys()],
		info: (tensor) => {
			const entry = byName.get(tensor);
			return entry && { dtype: entry.dtype, shape: entry.shape, byteLength: bytesOf(tensor).byteLength };
		},
		read: bytesOf,
		readPart: (tensor, from, length) => bytesOf(tensor).slice(from, from + length),
		close() {},
	};
}

const doubled = quantizedMatrixEntries(
	name,
	quantizeMatrix(weights, [rows, columns], 'nf4', { doubleQuantization: true }),
);

/** The entries with one replaced, or left out. */
function withTensor(
	entries: readonly SafetensorsEntry[],
	suffix: string,
	change: (entry: SafetensorsEntry) => SafetensorsEntry | undefined,
): SafetensorsEntry[] {
	expect(entries.map((entry) => entry.name)).toContain(name + suffix);
	return entries.flatMap((entry) => (entry.name === name + suffix ? (change(entry) ?? []) : [entry]));
}

function withState(change: Record<string, unknown>): SafetensorsEntry[] {
	return withTensor(doubled, '.quant_state.bitsandbytes__nf4', (entry) => {
		const state = JSON.parse(new TextDecoder().decode(entry.data as Uint8Array));
		return { ...entry, data: new TextEncoder().encode(JSON.stringify({ ...state, ...change })) };
	});
}

function errorOf(entries: readonly SafetensorsEntry[]): VulntuneError {
	try {
		readQuantizedMatrix(sourceOf(entries), name);
	} catch (error) {
		if (error instanceof VulntuneError) return error;
		throw error;
	}
	throw new Error('the matrix was accepted');
}

test.each(quantizedTypes.flatMap((type) => [false, true].map((double) => [type, double] as const)))(
	'%s (double quantisation %s) comes back as it was written',
	(type, doubleQuantization) => {
		const options = { doubleQuantization, valueType: 'bfloat16' } as const;
		const matrix = quantizeMatrix(weights, [rows, columns], type, options);
		const read = readQuantizedMatrix(sourceOf(quantizedMatrixEntries(name, matrix)), name)!;
		expect(read).toEqual(matrix);
		expect(dequantizeMatrix(read)).toEqual(dequantizeMatrix(matrix));
	},
);

test('the quant state is the text that bitsandbytes writes', () => {
	const entry = doubled.find((tensor) => tensor.name.includes('quant_state'))!;
	expect(new TextDecoder().decode(entry.data as Uint8Array)).toMatch(
		/^\{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": \[37, 15\], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0\.\d+\}$/,
	);
});

test.each([
	['another type', { quant_type: 'fp4' }, /"quant_type" must be "nf4", found "fp4"/],
	['another block size', { blocksize: 128 }, /"blocksize" must be 64, found 128/],
	['a nested block size of text', { nested_blocksize: '256' }, /"nested_blocksize" must be 256/],
	['an unknown dtype', { dtype: 'float64' }, /"dtype" must be "float32" or/],
	['three dimensions', { shape: [37, 5, 3] }, /"shape" must be .* \[37, 5, 3\]/],
	['a negative dimension', { shape: [-37, -15] }, /"shape" must be/],
	['a product beyond 2^53', { shape: [2 ** 40, 2 ** 40] }, /"shape" must be/],
	['no offset', { nested_offset: null }, /nested_offset/],
	['an offset beyond float32', { nested_offset: 1e300 }, /nested_offset/],
])('a quant state with %s is refused', (_, change, message) => {
	const error = errorOf(withState(change));
	expect(error.code).toBe('QUANT_STATE');
	expect(error.message).toMatch(message);
	expect(error.place).toBe(`model.safetensors: ${name}.quant_state.bitsandbytes__nf4`);
});

test('a shape that the codes do not fill is refused before anything is allocated', () => {
	expect(errorOf(withState({ shape: [2 ** 26, 2 ** 26] })).code).toBe('QUANTIZED_TENSOR_SIZE');
	expect(errorOf(withState({ shape: [37, 17] })).code).toBe('QUANTIZED_TENSOR_SIZE');
});

test.each(['.absmax', '.quant_map', '.nested_absmax', '.nested_quant_map'])(
	'%s must be there, whole',
	(suffix) => {
		expect(errorOf(withTensor(doubled, suffix, () => undefined)).code).toBe('QUANTIZED_TENSOR_MISSING');
		const cut = (entry: SafetensorsEntry) => ({ ...entry, data: (entry.data as Uint8Array).subarray(4) });
		expect(errorOf(withTensor(doubled, suffix, cut)).code).toBe('QUANTIZED_TENSOR_SIZE');
		const retyped = (entry: SafetensorsEntry) => ({ ...entry, dtype: 'I32' as const });
		expect(errorOf(withTensor(doubled, suffix, retyped)).code).toBe('QUANTIZED_TENSOR_SIZE');
	},
);

test('numbers that are not finite and foreign codebooks are refused', () => {
	const filled = (value: number) => (entry: SafetensorsEntry) => {
		const length = (entry.data as Uint8Array).byteLength / 4;
		return { ...entry, data: new Uint8Array(new Float32Array(length).fill(value).buffer) };
	};
	expect(errorOf(withTensor(doubled, '.nested_absmax', filled(Number.NaN))).code).toBe(
		'QUANTIZED_TENSOR_VALUE',
	);
	expect(errorOf(withTensor(doubled, '.quant_map', filled(0.5))).message).toMatch(
		/code 0 of this type stands for -1/,
	);
	const codebookOfTwo = quantizedMatrixEntries(name, quantizeMatrix(weights, [rows, columns], 'quantile2'));
	expect(errorOf(withTensor(codebookOfTwo, '.absmax', filled(Infinity))).code).toBe('QUANTIZED_TENSOR_VALUE');
});

test('codes that no codebook has are refused', () => {
	const filled = (code: number) => (entry: SafetensorsEntry) => ({
		...entry,
		data: new Uint8Array(rows * columns).fill(code),
	});
	const entriesOf = (type: 'int8' | 'quantile3') =>
		quantizedMatrixEntries(name, quantizeMatrix(weights, [rows, columns], type));
	expect(errorOf(withTensor(entriesOf('int8'), '', filled(128))).message).toMatch(/found -128/);
	// three bits hold 7 too, which the seven values of equation (1) leave out
	const ones = (entry: SafetensorsEntry) => ({
		...entry,
		data: new Uint8Array((entry.data as Uint8Array).byteLength).fill(255),
	});
	expect(errorOf(withTensor(entriesOf('quantile3'), '', ones)).message).toMatch(/below 7 .* element 0 is 7/);
});

test.each([2, 3, 4, 5, 6, 7, 8] as const)('codes of %s bits take as many on disk', (bits) => {
	for (const type of [`quantile${bits}`, `normal${bits}`] as const) {
		const entries = quantizedMatrixEntries(name, quantizeMatrix(weights, [rows, columns], type));
		expect((entries[0]!.data as Uint8Array).byteLength).toBe(Math.ceil((rows * columns * bits) / 8));
		const other = withTensor(entries, `.quant_state.vulntune__${type}`, (entry) => {
			const text = new TextDecoder().decode(entry.data as Uint8Array);
			return { ...entry, data: new TextEncoder().encode(text.replace(`"bits": ${bits}`, '"bits": 1')) };
		});
		expect(errorOf(other).message).toMatch(/"bits" must be/);
	}
});

test('files of the first version, a byte a code, are read as they are', () => {
	const matrix = quantizeMatrix(weights, [rows, columns], 'normal3') as QuantileMatrix;
	const state = `{"quant_type": "quantile3", "blocksize": 64, "shape": [${rows}, ${columns}]}`;
	const bytes = (values: Float32Array) => new Uint8Array(values.buffer);
	const old: SafetensorsEntry[] = [
		{ name, dtype: 'U8', shape: [rows, columns], data: matrix.codes },
		{ name: `${name}.absmax`, dtype: 'F32', shape: [matrix.absmax.length], data: bytes(matrix.absmax) },
		{ name: `${name}.quant_map`, dtype: 'F32', shape: [8], data: bytes(matrix.codebook) },
		{
			name: `${name}.quant_state.vulntune__quantile3`,
			dtype: 'U8',
			shape: [state.length],
			data: new TextEncoder().encode(state),
		},
	];
	expect(dequantizeMatrix(readQuantizedMatrix(sourceOf(old), name)!)).toEqual(dequantizeMatrix(matrix));
});

test('integers without one quant state of a known type are refused, plain floats are not ours', () => {
	const state = '.quant_state.bitsandbytes__nf4';
	expect(errorOf(withTensor(doubled, state, () => undefined)).code).toBe('QUANT_TYPE_UNKNOWN');
	for (const renamed of ['.quant_state.bitsandbytes__int4', '.quant_state.vulntune__nf4', '.quant_state.']) {
		const rename = (entry: SafetensorsEntry) => ({ ...entry, name: name + renamed });
		expect(errorOf(withTensor(doubled, state, rename)).code).toBe('QUANT_TYPE_UNKNOWN');
	}
	const fp4 = quantizedMatrixEntries(name, quantizeMatrix(weights, [rows, columns], 'fp4'));
	expect(errorOf([...doubled, fp4.at(-1)!]).code).toBe('QUANT_TYPE_UNKNOWN');
	const plain = { name, dtype: 'F32', shape: [1], data: new Uint8Array(4) } as const;
	expect(readQuantizedMatrix(sourceOf([plain]), name)).toBeUndefined();
});

test('a quant state of an absurd size is refused unread', () => {
	const padded = withTensor(doubled, '.quant_state.bitsandbytes__nf4', (entry) => {
		const text = new TextDecoder().decode(entry.data as Uint8Array);
		return { ...entry, data: new TextEncoder().encode(text.padEnd(100_000)) };
	});
	expect(errorOf(padded).message).toMatch(/100000 bytes are too many/);
});

test('a damaged quant state is read or refused, never a crash', () => {
	const original = doubled.find((tensor) => tensor.name.includes('quant_state'))!;
	fc.assert(
		fc.property(damaged(original.data as Uint8Array), (data) => {
			try {
				readQuantizedMatrix(sourceOf([...doubled.slice(0, -1), { ...original, data }]), name);
			} catch (error) {
				expect(error).toBeInstanceOf(VulntuneError);
			}
		}),
		{ numRuns: 500 },
	);
});
