import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { toFloat32 } from '../formats/floats.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { dynamicCodebook } from './codebooks.ts';
import { quantizeAbsmax, restoreAbsmax } from './double-quantization.ts';
import { dequantizeFourBit, fourBitCodebook, quantizeFourBit, type ValueType } from './four-bit.ts';
import { type QuantileBits, type QuantileReading, quantileCodebook } from './quantile-codebook.ts';
import { quantileTypeCodebook } from './quantile-matrix.ts';

interface Golden {
	readonly matrices: readonly {
		readonly name: string;
		readonly shape: readonly [number, number];
		readonly dtype: ValueType;
		readonly nf4_near_ties: readonly number[];
		readonly fp4_near_ties: readonly number[];
		readonly double_near_ties: readonly number[];
		readonly zero_blocks: readonly number[];
	}[];
	readonly quantile_codebooks: {
		readonly k: Readonly<Record<string, Readonly<Record<QuantileReading, readonly number[]>>>>;
	};
}

const shared = needsShared('fixtures/quant');

describe.skipIf(shared.skip)('golden quantisation', () => {
	if (shared.skip) return;
	const golden: Golden = JSON.parse(readFileSync(path.join(shared.path, 'quant.json'), 'utf8'));
	const file = openSafetensors(path.join(shared.path, 'quant.safetensors'));
	const floats = (name: string) => toFloat32(file.read(name), file.tensors.get(name)!.dtype);

	test('the codebooks of bitsandbytes are the same float32 numbers', () => {
		expect(fourBitCodebook('nf4')).toEqual(floats('codebook.nf4'));
		expect(differing(fourBitCodebook('fp4'), floats('codebook.fp4'))).toEqual([]); // -0 there is 0 here
		expect(dynamicCodebook()).toEqual(floats('codebook.dynamic8'));
	});

	test.each(Object.keys(golden.quantile_codebooks.k))(
		'the quantile codebooks of %s bits agree to 1e-9',
		(k) => {
			const bits = Number(k) as QuantileBits;
			for (const reading of ['finite', 'clamped', 'normal_map'] as const) {
				const expected = golden.quantile_codebooks.k[k]![reading];
				const values = quantileCodebook(bits, reading);
				expect(values).toHaveLength(expected.length);
				expect(largestDifference(values, expected)).toBeLessThan(1e-9);
			}
			const [equation, map] = [
				golden.quantile_codebooks.k[k]!.finite,
				golden.quantile_codebooks.k[k]!.normal_map,
			];
			expect(quantileTypeCodebook(`quantile${bits}`)).toEqual(Float32Array.from(equation));
			expect(quantileTypeCodebook(`normal${bits}`)).toEqual(Float32Array.from(map));
			expect(equation).toHaveLength(2 ** bits - 1);
		},
	);

	describe.each(golden.matrices)('$name', (matrix) => {
		const { name, shape, dtype } = matrix;
		const values = floats(`${name}.input`);
		const zeroElements = new Set(
			matrix.zero_blocks.flatMap((block) => Array.from({ length: 64 }, (_, index) => 64 * block + index)),
		);

		test.each(['nf4', 'fp4'] as const)('%s: codes, absmax and restored values', (type) => {
			const quantized = quantizeFourBit(values, shape, type, { valueType: dtype });
			expect(quantized.absmax).toEqual(floats(`${name}.${type}.absmax`));
			const nearTies = new Set(matrix[`${type}_near_ties`]);
			const isOpen = (index: number) => nearTies.has(index) || zeroElements.has(index);
			const packed = file.read(`${name}.${type}.packed`);
			expect(quantized.packed).toHaveLength(packed.length);
			expect(differingCodes(quantized.packed, packed).filter((index) => !isOpen(index))).toEqual([]);
			const restored = dequantizeFourBit(quantized);
			const expected = floats(`${name}.${type}.dequantized`);
			expect(
				differing(restored, expected).filter((index) => !nearTies.has(index) || zeroElements.has(index)),
			).toEqual([]);
		});

		test('double quantisation: offset, codes, nested absmax and restored values', () => {
			const single = quantizeFourBit(values, shape, 'nf4', { valueType: dtype });
			const { offset } = quantizeAbsmax(single.absmax);
			const goldenOffset = floats(`${name}.double.offset`)[0]!;
			// one unit in the last place: the order of PyTorch's summation decides it
			expect(Math.abs(offset - goldenOffset)).toBeLessThanOrEqual(2 ** -23 * Math.abs(goldenOffset));
			const double = quantizeAbsmax(single.absmax, goldenOffset);
			const absmax = restoreAbsmax(double);
			expect(double.nestedAbsmax).toEqual(floats(`${name}.double.nested_absmax`));
			const nearTies = new Set(matrix.double_near_ties);
			const isFixed = (block: number) => !nearTies.has(block);
			expect(differing(double.codes, file.read(`${name}.double.absmax_codes`)).filter(isFixed)).toEqual([]);
			expect(differing(absmax, floats(`${name}.double.absmax_restored`)).filter(isFixed)).toEqual([]);
			const quantized = { ...single, absmax, double };
			const restored = differing(dequantizeFourBit(quantized), floats(`${name}.double.dequantized`));
			const codeTies = new Set(matrix.nf4_near_ties);
			expect(restored.filter((index) => isFixed(Math.floor(index / 64)) && !codeTies.has(index))).toEqual([]);
		});
	});
});

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
	return Array.from(a).reduce((max, value, index) => Math.max(max, Math.abs(value - b[index]!)), 0);
}

/** Where two arrays of equal length differ; 0 and -0 are equal. */
function differing(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
	expect(a.length).toBe(b.length);
	return Array.from(a, (_, index) => index).filter((index) => a[index] !== b[index]);
}

/** The elements, two a byte, whose codes differ. */
function differingCodes(a: Uint8Array, b: Uint8Array): number[] {
	const codes = (bytes: Uint8Array) => Array.from(bytes).flatMap((byte) => [byte >> 4, byte & 15]);
	return differing(codes(a), codes(b));
}
