import { describe, expect, it } from 'vitest';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });

describe('rotary positions on the reference backend', () => {
	it('turns element i with element i + D/2 of each head', () => {
		const x = tensor(backend, [1, 8], [1, 2, 3, 4, 5, 6, 7, 8]); // two heads of 4
		const cos = tensor(backend, [1, 2], [0, 1]);
		const sin = tensor(backend, [1, 2], [1, 0]); // a quarter turn of pair 0, none of pair 1
		backend.rope(x, x, cos, sin, 4, false);
		expect(numbersOf(backend, x)).toEqual([-3, 2, 1, 4, -7, 6, 5, 8]);
		backend.rope(x, x, cos, sin, 4, true);
		expect(numbersOf(backend, x)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
	});

	it('turns the first elements of a head alone where there are fewer angles', () => {
		const x = tensor(backend, [1, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]); // two heads of 5
		const [cos, sin] = [tensor(backend, [1, 1], [0]), tensor(backend, [1, 1], [1])];
		const y = emptyTensor(backend, [1, 10]);
		backend.rope(y, x, cos, sin, 5, false);
		expect(numbersOf(backend, y)).toEqual([-2, 1, 3, 4, 5, -7, 6, 8, 9, 10]);
	});

	it.each([2, 8, 10])('has its gradient in the inverse, head dimension %i', (headDim) => {
		const [tokens, heads] = [3, 2];
		const angles = drawFrom(headDim).normal((tokens * headDim) / 2, 3);
		const cos = tensor(backend, [tokens, headDim / 2], angles.map(Math.cos));
		const sin = tensor(backend, [tokens, headDim / 2], angles.map(Math.sin));
		const x = tensor(backend, [tokens, heads * headDim], drawFrom(2).normal(tokens * heads * headDim));
		const y = emptyTensor(backend, x.shape);
		expectGradients(backend, {
			inputs: { x },
			forward: () => {
				backend.rope(y, x, cos, sin, headDim, false);
				return y;
			},
			backward: (dy) => {
				backend.rope(dy, dy, cos, sin, headDim, true);
				return { x: dy };
			},
		});
	});
});
