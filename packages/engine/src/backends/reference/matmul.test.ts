import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend, QuantizedWeight, View } from '../contract.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, relativeDistance, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend();
const exact = createReferenceBackend({ storage: 'f64' });
const plain = { precision: 'fp32', accumulate: false, scale: 1 } as const;
const size = fc.integer({ min: 1, max: 9 });

function bytes(owner: Backend, dtype: 'u8' | 'i8', values: readonly number[]): View {
	const view = emptyTensor(owner, [values.length], dtype);
	owner.upload(view, dtype === 'u8' ? Uint8Array.from(values) : Int8Array.from(values));
	return view;
}

describe('matrix products of the reference backend', () => {
	const x = tensor(backend, [2, 3], [1, 2, 3, 4, 5, 6]);
	const weight = tensor(backend, [2, 3], [1, 0, -1, 2, 1, 0]);

	it('multiplies in the three directions', () => {
		const y = emptyTensor(backend, [2, 2]);
		backend.matmulNT(y, x, weight, plain);
		expect(numbersOf(backend, y)).toEqual([-2, 4, -2, 13]);
		const dx = emptyTensor(backend, [2, 3]);
		backend.matmulNN(dx, y, weight, plain);
		expect(numbersOf(backend, dx)).toEqual([6, 4, 2, 24, 13, 2]);
		const dWeight = emptyTensor(backend, [2, 3]);
		backend.matmulTN(dWeight, y, x, plain);
		expect(numbersOf(backend, dWeight)).toEqual([-10, -14, -18, 56, 73, 90]);
	});

	it('scales the product and adds it to what is there', () => {
		const y = tensor(backend, [2, 2], [100, 100, 100, 100]);
		backend.matmulNT(y, x, weight, { ...plain, accumulate: true, scale: 0.5 });
		expect(numbersOf(backend, y)).toEqual([99, 102, 99, 106.5]);
	});

	it('rounds operands, and nothing else, with precision bf16', () => {
		const fine = 1 + 2 ** -8 + 2 ** -16; // becomes 1 + 2^-7
		const left = tensor(backend, [1, 2], [fine, 2 ** -12]);
		const right = tensor(backend, [1, 2], [1, 1]);
		const y = emptyTensor(backend, [1, 1]);
		for (const [a, b] of [
			[left, right],
			[right, left],
		] as const) {
			backend.matmulNT(y, a, b, { ...plain, precision: 'bf16' });
			expect(numbersOf(backend, y)).toEqual([1 + 2 ** -7 + 2 ** -12]);
		}
	});

	it('takes bf16 and f16 weights', () => {
		const expected = emptyTensor(backend, [2, 2]);
		backend.matmulNT(expected, x, weight, plain);
		for (const dtype of ['bf16', 'f16'] as const) {
			const narrow = emptyTensor(backend, [2, 3], dtype);
			backend.copy(narrow, weight);
			const y = emptyTensor(backend, [2, 2]);
			backend.matmulNT(y, x, narrow, plain);
			expect(numbersOf(backend, y)).toEqual(numbersOf(backend, expected));
		}
	});

	it('is differentiable in both operands', () => {
		fc.assert(
			fc.property(size, size, size, (m, n, k) => {
				const draw = drawFrom(m + 10 * n + 100 * k);
				const input = tensor(exact, [m, k], draw.normal(m * k));
				const matrix = tensor(exact, [n, k], draw.normal(n * k));
				const y = emptyTensor(exact, [m, n]);
				const dx = emptyTensor(exact, [m, k]);
				const dWeight = emptyTensor(exact, [n, k]);
				const options = { ...plain, scale: 0.7 };
				expectGradients(exact, {
					inputs: { input, matrix },
					forward: () => {
						exact.matmulNT(y, input, matrix, options);
						return y;
					},
					backward: (dy) => {
						exact.matmulNN(dx, dy, matrix, options);
						exact.matmulTN(dWeight, dy, input, options);
						return { input: dx, matrix: dWeight };
					},
				});
			}),
			{ seed: 1, numRuns: 15 },
		);
	});
});

describe('quantised weights on the reference backend', () => {
	const columns = 67; // a block of 64 ends inside the first row
	const rows = 3;
	const codes = Array.from({ length: rows * columns }, (_, i) => (i * 7) % 16);
	const codebook = Array.from({ length: 16 }, (_, i) => i - 8);
	const blockScales = [0.5, 2, 4, 8];
	const tableValues = codes.map((code, i) => codebook[code]! * blockScales[Math.floor(i / 64)]!);
	const packed = Array.from({ length: Math.ceil(codes.length / 2) }, (_, i) => {
		return (codes[2 * i]! << 4) | (codes[2 * i + 1] ?? 0);
	});
	const rowScales = [0.25, 0.5, 1];
	const signed = codes.map((code) => code - 8);
	const weights: Readonly<Record<string, { weight: QuantizedWeight; values: readonly number[] }>> = {
		table4: {
			weight: {
				layout: 'table4',
				shape: [rows, columns],
				codes: bytes(backend, 'u8', packed),
				scales: tensor(backend, [4], blockScales),
				codebook: tensor(backend, [16], codebook),
			},
			values: tableValues,
		},
		table8: {
			weight: {
				layout: 'table8',
				shape: [rows, columns],
				codes: bytes(backend, 'u8', codes),
				scales: tensor(backend, [4], blockScales),
				codebook: tensor(backend, [16], codebook),
			},
			values: tableValues,
		},
		int8: {
			weight: {
				layout: 'int8',
				shape: [rows, columns],
				codes: bytes(backend, 'i8', signed),
				scales: tensor(backend, [rows], rowScales),
				codebook: undefined,
			},
			values: signed.map((code, i) => code * rowScales[Math.floor(i / columns)]!),
		},
	};

	it.each(Object.keys(weights))('reads the values of %s and multiplies by them', (layout) => {
		const { weight, values } = weights[layout]!;
		const dense = emptyTensor(backend, [rows, columns]);
		backend.dequantize(dense, weight);
		expect(numbersOf(backend, dense)).toEqual(values);

		const draw = drawFrom(3);
		const x = tensor(backend, [2, columns], draw.normal(2 * columns));
		const dy = tensor(backend, [2, rows], draw.normal(2 * rows));
		const [y, yDense] = [emptyTensor(backend, [2, rows]), emptyTensor(backend, [2, rows])];
		const [dx, dxDense] = [emptyTensor(backend, [2, columns]), emptyTensor(backend, [2, columns])];
		backend.matmulNT(y, x, weight, plain);
		backend.matmulNT(yDense, x, dense, plain);
		backend.matmulNN(dx, dy, weight, plain);
		backend.matmulNN(dxDense, dy, dense, plain);
		expect(relativeDistance(backend.download(y), backend.download(yDense))).toBe(0);
		expect(relativeDistance(backend.download(dx), backend.download(dxDense))).toBe(0);
	});

	it('rounds the product of code and scale to float32', () => {
		const weight: QuantizedWeight = {
			layout: 'int8',
			shape: [1, 1],
			codes: bytes(exact, 'i8', [3]),
			scales: tensor(exact, [1], [Math.fround(0.1)]),
			codebook: undefined,
		};
		const dense = emptyTensor(exact, [1, 1]);
		exact.dequantize(dense, weight);
		expect(numbersOf(exact, dense)).toEqual([Math.fround(3 * Math.fround(0.1))]);
	});
});
