import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import { roundToBfloat16, roundToFloat16, toFloat32, widenBfloat16, widenFloat16 } from './floats.ts';

const everyWord = Uint16Array.from({ length: 0x10000 }, (_, index) => index);

/** Every float32, the special ones and the exact midpoints of 16-bit numbers among them. */
const float32Arbitrary = fc.oneof(
	fc.float(),
	fc.integer({ min: 0, max: 0xffff }).map((word) => bitsToFloat32(word * 0x10000 + 0x8000)),
	fc.integer({ min: -4_194_304, max: 4_194_304 }).map((step) => step / 64),
);

function bitsToFloat32(bits: number): number {
	return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}

/** Half precision from the definition of its fields. */
function float16Value(word: number): number {
	const sign = word & 0x8000 ? -1 : 1;
	const exponent = (word >> 10) & 31;
	const fraction = word & 1023;
	if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
	return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('widening takes every half-precision number to its value', () => {
	const values = widenFloat16(everyWord);
	const wrong = everyWord.filter((word) => !Object.is(values[word], float16Value(word)));
	expect(wrong).toHaveLength(0);
});

test('widening takes every bfloat16 number to the float32 with the same upper half', () => {
	const bits = new Uint32Array(widenBfloat16(everyWord).buffer);
	expect(everyWord.every((word) => bits[word] === word * 0x10000)).toBe(true);
});

test.each([
	['bfloat16', widenBfloat16, roundToBfloat16],
	['float16', widenFloat16, roundToFloat16],
])('rounding a %s number gives it back', (_, widen, round) => {
	const values = widen(everyWord);
	const back = round(values);
	const wrong = everyWord.filter((word) => back[word] !== word && !Number.isNaN(values[word]!));
	expect(wrong).toHaveLength(0);
	expect([...widen(round(Float32Array.of(Number.NaN)))]).toEqual([Number.NaN]);
});

test.each([
	['bfloat16', widenBfloat16, roundToBfloat16],
	['float16', widenFloat16, roundToFloat16],
])('rounding to %s takes the nearest, and the even one of two', (_, widen, round) => {
	// The values of a 16-bit type rise with its bits, so the neighbours of a number are the words beside its own.
	const widened = (bits: number) => widen(Uint16Array.of(bits))[0]!;
	fc.assert(
		fc.property(float32Arbitrary, (value) => {
			const word = round(Float32Array.of(value))[0]!;
			const rounded = widened(word);
			if (Number.isNaN(value)) expect(rounded).toBeNaN();
			if (!Number.isFinite(rounded) || rounded === 0) return;
			const error = Math.abs(value - rounded);
			for (const neighbour of [widened(word - 1), widened(word + 1)]) {
				if (word & 1) expect(error).toBeLessThan(Math.abs(value - neighbour));
				else expect(error).toBeLessThanOrEqual(Math.abs(value - neighbour));
			}
		}),
		runsOf({ suite: 3000, nightly: 10_000, seed: 4 }),
	);
});

test('beyond half a step above the largest number lies infinity, below half the smallest zero', () => {
	expect([...widenFloat16(roundToFloat16(Float32Array.of(65_519.99, 65_520, -65_520)))]).toEqual([
		65_504,
		Number.POSITIVE_INFINITY,
		Number.NEGATIVE_INFINITY,
	]);
	expect([...widenFloat16(roundToFloat16(Float32Array.of(2 ** -25, 2 ** -25 * 1.01)))]).toEqual([
		0,
		2 ** -24,
	]);
	expect([...roundToBfloat16(Float32Array.of(bitsToFloat32(0x7f7f7fff), bitsToFloat32(0x7f7f8000)))]).toEqual(
		[0x7f7f, 0x7f80],
	);
	expect([...roundToBfloat16(Float32Array.of(bitsToFloat32(0x8000), bitsToFloat32(0x8001)))]).toEqual([0, 1]);
});

test('the sign of zero survives', () => {
	expect([...roundToBfloat16(Float32Array.of(-0, 0))]).toEqual([0x8000, 0]);
	expect([...roundToFloat16(Float32Array.of(-0, 0))]).toEqual([0x8000, 0]);
});

test('reads floats from bytes at any address, and nothing else', () => {
	const bytes = new Uint8Array([0, ...new Uint8Array(Float32Array.of(1.5, -2).buffer)]).subarray(1);
	expect([...toFloat32(bytes, 'F32')]).toEqual([1.5, -2]);
	expect([...toFloat32(new Uint8Array(Float64Array.of(0.1).buffer), 'F64')]).toEqual([Math.fround(0.1)]);
	expect(() => toFloat32(bytes, 'I32')).toThrow(expect.objectContaining({ code: 'DTYPE_NOT_FLOAT' }));
});

test('writes into a part of a larger buffer', () => {
	const target = new Float32Array(4);
	widenBfloat16(Uint16Array.of(0x3f80), target.subarray(2, 3));
	expect([...target]).toEqual([0, 0, 1, 0]);
	const halves = new Uint16Array(4);
	roundToFloat16(Float32Array.of(1), halves.subarray(1, 2));
	roundToBfloat16(Float32Array.of(1), halves.subarray(3, 4));
	expect([...halves]).toEqual([0, 0x3c00, 0, 0x3f80]);
});
