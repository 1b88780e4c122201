import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VulntuneError } from '../errors.ts';
import { hashStream, normalArray } from '../random/streams.ts';
import { dynamicCodebook, unsignedDynamicCodebook } from './codebooks.ts';
import { quantizeAbsmax, restoreAbsmax } from './double-quantization.ts';
import { dequantizeFourBit, fourBitCodebook, quantizeFourBit } from './four-bit.ts';
import { dequantizeInt8, quantizeInt8 } from './int8.ts';
import { dequantizeMatrix, matrixCodebook, quantizeMatrix } from './matrix.ts';
import { nearestCode, nearestTable } from './nearest.ts';
import { quantileTypeCodebook } from './quantile-matrix.ts';
import { quantizationError } from './quantization-error.ts';
import { isQuantizedType, quantizedTypes } from './types.ts';

const finite = fc.float({ noNaN: true, noDefaultInfinity: true });

/** The last code by value whose lower midpoint, in float32, lies below `value`: the definition, one code after the other. */
function definedCode(codebook: Float32Array, value: number): number {
	const order = Array.from(codebook.keys()).sort((a, b) => codebook[a]! - codebook[b]! || a - b);
	let chosen = order[0]!;
	for (let rank = 1; rank < order.length; rank++) {
		const midpoint = Math.fround(codebook[order[rank - 1]!]! + codebook[order[rank]!]!) / 2;
		if (value > midpoint) chosen = order[rank]!;
	}
	return chosen;
}

describe('blockwise quantisation', () => {
	test.each(['nf4', 'fp4', 'quantile2', 'quantile7', 'normal2', 'normal8'] as const)(
		'%s: every code is the one that the definition gives',
		(type) => {
			fc.assert(
				fc.property(fc.array(finite, { minLength: 1, maxLength: 150 }), (numbers) => {
					const values = Float32Array.from(numbers);
					const matrix = quantizeMatrix(values, [1, values.length], type);
					const codebook = matrixCodebook(matrix)!;
					const codes =
						'packed' in matrix
							? Array.from(matrix.packed).flatMap((byte) => [byte >> 4, byte & 15])
							: Array.from((matrix as { codes: Uint8Array }).codes);
					values.forEach((value, index) => {
						const block = values.subarray(index - (index % 64), index - (index % 64) + 64);
						const absmax = block.reduce((max, other) => Math.max(max, Math.abs(other)), 0);
						const inverse = Math.fround(1 / absmax);
						const scaled = inverse === Infinity ? 0 : Math.fround(value * inverse);
						expect(codes[index]).toBe(definedCode(codebook, scaled));
					});
					if ('packed' in matrix && values.length % 2 === 1) {
						expect(codes.at(-1)).toBe(definedCode(codebook, 0));
					}
				}),
			);
		},
	);

	test('a number on a midpoint takes the lower value, the next float32 the upper one', () => {
		for (const codebook of [
			fourBitCodebook('nf4'),
			quantileTypeCodebook('quantile8'),
			quantileTypeCodebook('normal8'),
			dynamicCodebook(),
			unsignedDynamicCodebook(),
		]) {
			const table = nearestTable(codebook);
			table.midpoints.subarray(0, -1).forEach((midpoint, rank) => {
				expect(nearestCode(table, midpoint)).toBe(rank);
				const bits = new Int32Array(Float32Array.of(midpoint).buffer);
				bits[0]! += midpoint < 0 ? -1 : 1;
				expect(nearestCode(table, new Float32Array(bits.buffer)[0]!)).toBe(rank + 1);
			});
		}
	});

	test('bitsandbytes’ map of numbers that are not negative', () => {
		const codebook = unsignedDynamicCodebook();
		expect(codebook).toHaveLength(256);
		expect(codebook).toEqual(codebook.toSorted());
		const ends = [0, 3.25e-7, 7.75e-7, 2.125e-6, 4.375e-6];
		for (const [code, value] of ends.entries()) expect(codebook[code]).toBeCloseTo(value, 12);
		expect(codebook[254]).toBeCloseTo(0.996484375, 6);
		expect(codebook[255]).toBe(1);
	});

	test('values of the codebook times a power of two come back exactly, whatever the block', () => {
		for (const type of ['nf4', 'fp4'] as const) {
			const codebook = fourBitCodebook(type);
			const values = Float32Array.from(
				{ length: 5 * 64 },
				(_, index) => codebook[index % 16]! * 2 ** (index >> 6),
			);
			const restored = dequantizeFourBit(quantizeFourBit(values, [5, 64], type));
			expect(restored).toEqual(values);
		}
	});

	test('an absmax too small for its reciprocal gives zeros', () => {
		const values = Float32Array.of(1e-40, -1e-41, 0);
		expect([...dequantizeFourBit(quantizeFourBit(values, [1, 3], 'nf4'))]).toEqual([0, 0, 0]);
	});

	test('values are rounded to the type that the weights had', () => {
		const values = normalArray(2, 0, 128, 0.1);
		const exact = dequantizeFourBit(quantizeFourBit(values, [2, 64], 'nf4'));
		const inBfloat16 = dequantizeFourBit(quantizeFourBit(values, [2, 64], 'nf4', { valueType: 'bfloat16' }));
		expect(new Uint32Array(inBfloat16.buffer).every((word) => (word & 0xffff) === 0)).toBe(true);
		expect(quantizationError(exact, inBfloat16).relativeRms).toBeLessThan(2 ** -9);
		const inFloat16 = dequantizeFourBit(quantizeFourBit(values, [2, 64], 'nf4', { valueType: 'float16' }));
		expect(inFloat16).toEqual(Float32Array.from(new Float16Array(exact)));
	});
});

test('double quantisation restores absmax to within the widest step of the dynamic map', () => {
	const absmax = normalArray(3, hashStream('absmax'), 600, 0.01).map((value) => 0.1 + Math.abs(value));
	const double = quantizeAbsmax(absmax);
	expect(double.nestedAbsmax).toHaveLength(3);
	const restored = restoreAbsmax(double);
	absmax.forEach((value, block) => {
		const step = double.nestedAbsmax[block >> 8]! * 0.0071;
		expect(Math.abs(restored[block]! - value)).toBeLessThanOrEqual(step);
	});
});

describe('int8', () => {
	test('rounds halves to even, and a row to its own scale', () => {
		const values = Float32Array.of(127, 0.5, 1.5, -2.5, -127, 254, 1, 3, -5, 2, 0, 0, 0, 0, 0);
		const { codes, scales } = quantizeInt8(values, [3, 5]);
		expect([...scales]).toEqual([1, 2, 0]);
		expect([...codes]).toEqual([127, 0, 2, -2, -127, 127, 0, 2, -2, 1, 0, 0, 0, 0, 0]);
	});

	test('stays in range where the scale is subnormal, and is 0 where it underflows', () => {
		const unit = 2 ** -149;
		const { codes, scales } = quantizeInt8(
			Float32Array.of(190 * unit, -190 * unit, 60 * unit, -unit),
			[2, 2],
		);
		expect([...scales]).toEqual([unit, 0]);
		expect([...codes]).toEqual([127, -127, 0, 0]);
	});

	test('restores the largest float32 as a number', () => {
		for (const largest of [3.4028234663852886e38, 3.4028230607370965e38, 3.402e38]) {
			const matrix = quantizeInt8(Float32Array.of(largest, -largest), [1, 2]);
			const restored = dequantizeInt8(matrix);
			expect(Math.abs(restored[0]! / largest - 1)).toBeLessThan(1e-6);
			expect(restored[1]).toBe(-restored[0]!);
		}
	});

	test('is never off by more than half a step, also for subnormal rows', () => {
		fc.assert(
			fc.property(fc.array(finite, { minLength: 1, maxLength: 40 }), (numbers) => {
				const values = Float32Array.from(numbers);
				const matrix = quantizeInt8(values, [1, values.length]);
				const scale = matrix.scales[0]!;
				const restored = dequantizeInt8(matrix);
				// Half a step, its rounding at full scale, and what a subnormal scale has lost.
				const tolerance = scale * (0.5 + 127 * 2 ** -23) + 127 * 2 ** -149;
				values.forEach((value, index) => {
					expect(Math.abs(restored[index]! - value)).toBeLessThanOrEqual(tolerance);
				});
			}),
		);
	});
});

test('more bits give less error, and NF4 beats FP4 on normal weights', () => {
	const weights = normalArray(4, hashStream('weights'), 64 * 512, 0.02);
	const errorOf = Object.fromEntries(
		quantizedTypes.map((type) => {
			const restored = dequantizeMatrix(quantizeMatrix(weights, [64, 512], type));
			return [type, quantizationError(weights, restored).relativeRms];
		}),
	);
	for (let bits = 3; bits <= 8; bits++) {
		expect(errorOf[`quantile${bits}`]).toBeLessThan(errorOf[`quantile${bits - 1}`]!);
		expect(errorOf[`normal${bits}`]).toBeLessThan(errorOf[`normal${bits - 1}`]!);
	}
	expect(Math.abs(errorOf.nf4! - errorOf.normal4!)).toBeLessThan(1e-4);
	expect(errorOf.nf4).toBeLessThan(errorOf.fp4!);
	expect(errorOf.int8).toBeLessThan(0.01);
});

test('the error is measured as its names say', () => {
	const error = quantizationError(Float32Array.of(3, -4, 0, 0), Float32Array.of(3, -3, 1, 0));
	expect(error.maxAbs).toBe(1);
	expect(error.meanAbs).toBe(0.5);
	expect(error.rms).toBeCloseTo(Math.SQRT1_2, 15);
	expect(error.relativeRms).toBeCloseTo(Math.sqrt(2 / 25), 15);
	expect(error.signalToNoiseDecibels).toBeCloseTo(10 * Math.log10(12.5), 12);
	const same = quantizationError(new Float32Array(2), new Float32Array(2));
	expect(same).toMatchObject({ maxAbs: 0, relativeRms: 0, signalToNoiseDecibels: Infinity });
	expect(quantizationError(Float32Array.of(1), Float32Array.of(Number.NaN)).maxAbs).toBeNaN();
	expect(() => quantizationError(new Float32Array(2), new Float32Array(3))).toThrow(RangeError);
});

test('what cannot be quantised is refused', () => {
	for (const type of quantizedTypes) {
		for (const bad of [Number.NaN, Infinity, -Infinity]) {
			expect(() => quantizeMatrix(Float32Array.of(1, bad), [1, 2], type)).toThrow(/element 1 is/);
		}
		for (const shape of [[2, 2], [3], [1, 1, 3], [-1, -3]]) {
			const attempt = () => quantizeMatrix(new Float32Array(3), shape as unknown as [number, number], type);
			expect(attempt).toThrow(VulntuneError);
		}
	}
	expect(isQuantizedType('quantile9')).toBe(false);
	expect(isQuantizedType('nf4')).toBe(true);
});
