import { expect, test } from 'vitest';
import type { Backend } from '../backends/contract.ts';
import { createCpuBackend } from '../backends/cpu/cpu.ts';
import { errorSums } from '../backends/error-sums.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { roundToBfloat16, roundToFloat16, toFloat32 } from '../formats/floats.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { hashStream, normalArray } from '../random/streams.ts';
import { dequantizeFourBit, quantizeFourBit, valueTypeOf } from './four-bit.ts';
import { quantizeStored } from './quantize-stored.ts';

const shape = [7, 301] as const;
const values = normalArray(1, hashStream('stored'), shape[0] * shape[1]); // [7, 301]
const stored: Readonly<Record<'F32' | 'F16' | 'BF16', Uint8Array<ArrayBuffer>>> = {
	F32: new Uint8Array(values.slice().buffer),
	F16: Uint8Array.from(Buffer.from(roundToFloat16(values).buffer)),
	BF16: Uint8Array.from(Buffer.from(roundToBfloat16(values).buffer)),
};
const backends: readonly (readonly [string, () => Backend])[] = [
	['cpu', () => createCpuBackend({ threads: 2 })],
	['reference', () => createReferenceBackend()],
];

test.each(
	backends.flatMap(([name, create]) =>
		(['F32', 'F16', 'BF16'] as const).map((dtype) => ({ name, create, dtype })),
	),
)('$name makes of $dtype the matrix that is defined, and measures it', ({ create, dtype }) => {
	const backend = create();
	for (const [type, doubleQuantization] of [
		['nf4', false],
		['nf4', true],
		['fp4', true],
	] as const) {
		const original = toFloat32(stored[dtype], dtype);
		const expected = quantizeFourBit(original, shape, type, {
			doubleQuantization,
			valueType: valueTypeOf(dtype),
		});
		const packed = new Uint8Array(expected.packed.length).fill(0xee);
		const matrix = { dtype, shape, bytes: stored[dtype] };
		const found = quantizeStored(backend, matrix, type, doubleQuantization, packed);
		expect(found.matrix).toEqual(expected);
		expect(found.matrix.packed).toBe(packed);
		const restored = dequantizeFourBit({ ...expected, valueType: 'float32' });
		for (const [sum, value] of Object.entries(errorSums(original, restored))) {
			const own = found.errors[sum as keyof typeof found.errors];
			expect(Math.abs(own - value), sum).toBeLessThanOrEqual(1e-5 * value);
		}
	}
	expect(backend.memory().liveBuffers).toBe(0);
	backend.close();
});

test.each(backends)('%s names the first number that is none, and frees what it took', (_, create) => {
	const backend = create();
	const damaged = values.slice();
	damaged.fill(Number.NaN, 700, 705);
	const matrix = { dtype: 'F32', shape, bytes: new Uint8Array(damaged.buffer) } as const;
	const error = thrownBy(() => quantizeStored(backend, matrix, 'nf4', true));
	expect(error).toMatchObject({
		code: 'QUANTIZE_NOT_FINITE',
		message: expect.stringContaining('element 700 is NaN'),
	});
	expect(backend.memory().liveBuffers).toBe(0);
	backend.close();
});
