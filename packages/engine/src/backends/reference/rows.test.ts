import { describe, expect, it } from 'vitest';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, indexTensor, numbersOf, rangeTensor, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });

describe('rows on the reference backend', () => {
	const table = tensor(backend, [3, 2], [1, 2, 3, 4, 5, 6]);
	const rows = indexTensor(backend, [2, 0, 2, 1]);

	it.each(['f32', 'bf16', 'f16'] as const)('gathers rows of a table in %s', (dtype) => {
		const stored = emptyTensor(backend, [3, 2], dtype);
		backend.copy(stored, table);
		const y = emptyTensor(backend, [4, 2]);
		backend.gatherRows(y, stored, rows);
		expect(numbersOf(backend, y)).toEqual([5, 6, 1, 2, 5, 6, 3, 4]);
	});

	it('adds rows back where they were gathered from: its gradient', () => {
		const input = tensor(backend, [3, 2], [1, 2, 3, 4, 5, 6]);
		const y = emptyTensor(backend, [4, 2]);
		expectGradients(backend, {
			inputs: { input },
			forward: () => {
				backend.gatherRows(y, input, rows);
				return y;
			},
			backward: (dy) => {
				const gradient = tensor(backend, [3, 2], new Array(6).fill(0));
				backend.scatterAddRows(gradient, dy, rows);
				return { input: gradient };
			},
		});
	});

	it('pools by the mean and by the first maximum', () => {
		const x = tensor(backend, [4, 2], [9, 9, 1, 6, 3, 2, 3, 4]);
		const ranges = rangeTensor(backend, [2, 2], [1, 4, 0, 1]);
		const y = emptyTensor(backend, [2, 2]);
		const argmax = emptyTensor(backend, [2, 2], 'i32');
		backend.poolRows('mean', y, undefined, x, ranges);
		expect(numbersOf(backend, y)).toEqual([7 / 3, 4, 9, 9]);
		backend.poolRows('max', y, argmax, x, ranges);
		expect(numbersOf(backend, y)).toEqual([3, 6, 9, 9]);
		expect(numbersOf(backend, argmax)).toEqual([2, 1, 0, 0]);
	});

	it.each(['mean', 'max'] as const)('differentiates pooling by the %s', (kind) => {
		const x = tensor(backend, [7, 3], drawFrom(1).normal(21));
		const ranges = rangeTensor(backend, [3, 2], [0, 1, 2, 5, 5, 7]);
		const y = emptyTensor(backend, [3, 3]);
		const argmax = kind === 'max' ? emptyTensor(backend, [3, 3], 'i32') : undefined;
		expectGradients(backend, {
			inputs: { x },
			forward: () => {
				backend.poolRows(kind, y, argmax, x, ranges);
				return y;
			},
			backward: (dy) => {
				const dx = tensor(backend, [7, 3], new Array(21).fill(0));
				backend.poolRowsBackward(kind, dx, dy, argmax, ranges);
				return { x: dx };
			},
		});
	});

	it('scales each row by its factor', () => {
		const x = tensor(backend, [2, 2], [1, 2, 3, 4]);
		backend.scaleRows(x, tensor(backend, [2], [10, -1]));
		expect(numbersOf(backend, x)).toEqual([10, 20, -3, -4]);
	});
});
