import { expect, it } from 'vitest';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { expectGradients } from './finite-differences.ts';
import { emptyTensor, relativeDistance, tensor } from './tensors.ts';

const backend = createReferenceBackend({ storage: 'f64' });

function checkDoubling(factor: number, name = 'x'): void {
	const x = tensor(backend, [3], [1, 2, 3]);
	const y = emptyTensor(backend, [3]);
	expectGradients(backend, {
		inputs: { x },
		forward: () => {
			backend.add(y, x, x);
			return y;
		},
		backward: (dy) => {
			backend.scale(dy, factor);
			return { [name]: dy };
		},
	});
}

it('accepts the gradient and refuses one that is off by 2e-6 or missing', () => {
	expect(() => checkDoubling(2)).not.toThrow();
	expect(() => checkDoubling(2 * (1 + 2e-6))).toThrow('gradient of x');
	expect(() => checkDoubling(2, 'other')).toThrow();
});

it('measures distance by the norm, and never takes NaN or another length for agreement', () => {
	expect(relativeDistance([3, 5], [3, 4])).toBeCloseTo(0.2, 15);
	expect(relativeDistance([0, 2], [0, 0])).toBe(2);
	expect(relativeDistance([Number.NaN, 1], [1, 1])).toBeNaN();
	expect(relativeDistance([1], [1, 0])).toBeNaN();
});
