import { describe, expect, it } from 'vitest';
import { philox } from '../../random/philox.ts';
import { dropoutKeeps } from '../../random/streams.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, integerTensor, numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend();
const exact = createReferenceBackend({ storage: 'f64' });

describe('element-wise kernels of the reference backend', () => {
	it('fills f32 and i32', () => {
		const floats = emptyTensor(backend, [2]);
		const integers = emptyTensor(backend, [2], 'i32');
		backend.fill(floats, 1.5);
		backend.fill(integers, -100);
		expect(numbersOf(backend, floats)).toEqual([1.5, 1.5]);
		expect(numbersOf(backend, integers)).toEqual([-100, -100]);
	});

	it('converts between float types, to nearest even', () => {
		const source = tensor(backend, [4], [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0.1]);
		for (const [dtype, bits, values] of [
			['bf16', [0x3f80, 0x3f80, 0x3f82, 0xbdcd], [1, 1, 1.015625, -0.10009765625]],
			['f16', [0x3c00, 0x3c04, 0x3c0c, 0xae66], [1, 1.00390625, 1.01171875, -0.0999755859375]],
		] as const) {
			const narrow = emptyTensor(backend, [4], dtype);
			const wide = emptyTensor(backend, [4]);
			backend.copy(narrow, source);
			backend.copy(wide, narrow);
			expect(numbersOf(backend, narrow)).toEqual([...bits]);
			expect(numbersOf(backend, wide)).toEqual([...values]);
		}
	});

	it('copies integers, and refuses to make floats of them', () => {
		const source = integerTensor(backend, [2], [3, -4]);
		const target = emptyTensor(backend, [2], 'i32');
		backend.copy(target, source);
		expect(numbersOf(backend, target)).toEqual([3, -4]);
		expect(() => backend.copy(emptyTensor(backend, [2]), source)).toThrow('only float types are converted');
	});

	it('adds, scales and adds a scaled tensor, in place too', () => {
		const a = tensor(backend, [2], [1, 2]);
		const b = tensor(backend, [2], [10, 20]);
		backend.add(a, a, b);
		expect(numbersOf(backend, a)).toEqual([11, 22]);
		backend.addScaled(a, b, -0.5);
		expect(numbersOf(backend, a)).toEqual([6, 12]);
		backend.scale(a, 2);
		expect(numbersOf(backend, a)).toEqual([12, 24]);
	});

	it('drops what the rule for dropout says, at each index', () => {
		const length = 1001;
		const x = tensor(backend, [length], new Float32Array(length).fill(3));
		const y = emptyTensor(backend, [length]);
		const dropout = { seed: 2 ** 40 + 17, stream: 5, probability: 0.25 };
		backend.dropout(y, x, dropout);
		const kept = numbersOf(backend, y).map((value) => value !== 0);
		expect(kept).toEqual(
			Array.from({ length }, (_, i) => dropoutKeeps(dropout.seed, dropout.stream, i, dropout.probability)),
		);
		expect(new Set(numbersOf(backend, y))).toEqual(new Set([0, 4]));
	});

	it('keeps an element whose number is the threshold itself', () => {
		const number = philox([0, 7, 0, 0], [1, 0])[0]! % 2 ** 16;
		const y = emptyTensor(backend, [1]);
		for (const [threshold, kept] of [
			[number, true],
			[number + 1, false],
		] as const) {
			const dropout = { seed: 1, stream: 7, probability: threshold / 2 ** 16 };
			backend.dropout(y, tensor(backend, [1], [1]), dropout);
			expect(numbersOf(backend, y)[0] !== 0).toBe(kept);
		}
	});

	it('has the gradient of dropout in the same call', () => {
		const x = tensor(exact, [3, 5], drawFrom(1).normal(15));
		const y = emptyTensor(exact, [3, 5]);
		const dropout = { seed: 1, stream: 2, probability: 0.4 };
		expectGradients(exact, {
			inputs: { x },
			forward: () => {
				exact.dropout(y, x, dropout);
				return y;
			},
			backward: (dy) => {
				exact.dropout(dy, dy, dropout);
				return { x: dy };
			},
		});
	});

	it('adds a bias to every row; its gradient is the sum over rows', () => {
		const x = tensor(exact, [2, 3], [1, 2, 3, 4, 5, 6]);
		const bias = tensor(exact, [3], [10, 20, 30]);
		const y = emptyTensor(exact, [2, 3]);
		exact.addBias(y, x, bias);
		expect(numbersOf(exact, y)).toEqual([11, 22, 33, 14, 25, 36]);
		const dBias = tensor(exact, [3], [100, 100, 100]);
		exact.biasBackward({ view: dBias, accumulate: true }, x);
		expect(numbersOf(exact, dBias)).toEqual([105, 107, 109]);
		expectGradients(exact, {
			inputs: { bias },
			forward: () => {
				exact.addBias(y, x, bias);
				return y;
			},
			backward: (dy) => {
				exact.biasBackward({ view: dBias, accumulate: false }, dy);
				return { bias: dBias };
			},
		});
	});

	it('sums squares in float64', () => {
		expect(backend.sumOfSquares(tensor(backend, [3], [1, 2, 3]))).toBe(14);
		const small = new Float32Array(4097).fill(2 ** -12);
		small[0] = 1;
		expect(backend.sumOfSquares(tensor(backend, [small.length], small))).toBe(1 + 4096 * 2 ** -24);
	});
});
