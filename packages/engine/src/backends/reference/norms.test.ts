import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });
const epsilon = 1e-5;

describe('normalisation on the reference backend', () => {
	it('divides by the root mean square', () => {
		const x = tensor(backend, [1, 2], [1, 7]); // mean square 25
		const y = emptyTensor(backend, [1, 2]);
		const rstd = emptyTensor(backend, [1]);
		backend.rmsNorm(y, rstd, x, tensor(backend, [2], [10, 1]), 0);
		expect(numbersOf(backend, rstd)).toEqual([0.2]);
		const [first, second] = numbersOf(backend, y);
		expect(first).toBeCloseTo(2, 14);
		expect(second).toBeCloseTo(1.4, 14);
	});

	it('subtracts the mean and divides by the standard deviation, with and without a bias', () => {
		const x = tensor(backend, [1, 2], [1, 5]); // mean 3, variance 4
		const y = emptyTensor(backend, [1, 2]);
		const [mean, rstd] = [emptyTensor(backend, [1]), emptyTensor(backend, [1])];
		const weight = tensor(backend, [2], [1, 2]);
		backend.layerNorm(y, mean, rstd, x, weight, tensor(backend, [2], [10, 20]), 0);
		expect([numbersOf(backend, mean), numbersOf(backend, rstd)]).toEqual([[3], [0.5]]);
		expect(numbersOf(backend, y)).toEqual([9, 22]);
		backend.layerNorm(y, mean, rstd, x, weight, undefined, 0);
		expect(numbersOf(backend, y)).toEqual([-1, 2]);
	});

	it('uses epsilon where a row is constant', () => {
		const y = emptyTensor(backend, [1, 2]);
		const [mean, rstd] = [emptyTensor(backend, [1]), emptyTensor(backend, [1])];
		const ones = tensor(backend, [2], [1, 1]);
		backend.layerNorm(y, mean, rstd, tensor(backend, [1, 2], [3, 3]), ones, undefined, 0.25);
		expect([numbersOf(backend, y), numbersOf(backend, rstd)]).toEqual([[0, 0], [2]]);
		backend.rmsNorm(y, rstd, tensor(backend, [1, 2], [0, 0]), ones, 0.25);
		expect([numbersOf(backend, y), numbersOf(backend, rstd)]).toEqual([[0, 0], [2]]);
	});

	it('is differentiable in x, weight and bias', () => {
		fc.assert(
			// Two centred elements always become ±1, so that the gradient of layerNorm in x vanishes: at least three.
			fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 3, max: 9 }), (t, h) => {
				const draw = drawFrom(t + 10 * h);
				const x = tensor(backend, [t, h], draw.normal(t * h, 2));
				const weight = tensor(backend, [h], draw.normal(h));
				const bias = tensor(backend, [h], draw.normal(h));
				const y = emptyTensor(backend, [t, h]);
				const [mean, rstd] = [emptyTensor(backend, [t]), emptyTensor(backend, [t])];
				const over = (shape: readonly number[]) => ({
					view: emptyTensor(backend, shape),
					accumulate: false,
				});
				expectGradients(backend, {
					inputs: { x, weight },
					forward: () => {
						backend.rmsNorm(y, rstd, x, weight, epsilon);
						return y;
					},
					backward: (dy) => {
						const [dx, dWeight] = [over([t, h]), over([h])];
						backend.rmsNormBackward({ dx, dWeight }, { x, rstd, weight }, dy);
						return { x: dx.view, weight: dWeight.view };
					},
				});
				expectGradients(backend, {
					inputs: { x, weight, bias },
					forward: () => {
						backend.layerNorm(y, mean, rstd, x, weight, bias, epsilon);
						return y;
					},
					backward: (dy) => {
						const [dx, dWeight, dBias] = [over([t, h]), over([h]), over([h])];
						backend.layerNormBackward({ dx, dWeight, dBias }, { x, mean, rstd, weight }, dy);
						return { x: dx.view, weight: dWeight.view, bias: dBias.view };
					},
				});
			}),
			{ seed: 1, numRuns: 15 },
		);
	});

	it('adds to gradients that are there, and leaves out those that nobody wants', () => {
		const x = tensor(backend, [1, 2], [1, 7]);
		const weight = tensor(backend, [2], [1, 1]);
		const dWeight = { view: tensor(backend, [2], [100, 100]), accumulate: true };
		backend.rmsNormBackward(
			{ dx: undefined, dWeight },
			{ x, rstd: tensor(backend, [1], [0.5]), weight },
			tensor(backend, [1, 2], [2, 2]),
		);
		expect(numbersOf(backend, dWeight.view)).toEqual([101, 107]);
	});
});
