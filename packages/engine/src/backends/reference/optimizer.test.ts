import { describe, expect, it } from 'vitest';
import { numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });
const options = {
	learningRate: 0.125,
	beta1: 0.5,
	beta2: 0.75,
	epsilon: 1,
	weightDecay: 0.5,
	step: 1,
	gradientScale: 0.5,
};

describe('AdamW on the reference backend', () => {
	it('decays, and steps by the corrected moments', () => {
		const [p, g] = [tensor(backend, [1], [16]), tensor(backend, [1], [6])];
		const [first, second] = [tensor(backend, [1], [0]), tensor(backend, [1], [0])];
		// gradient 3; both corrected moments are the gradient and its square at the first step
		backend.adamW(p, g, first, second, options);
		expect([numbersOf(backend, first), numbersOf(backend, second)]).toEqual([[1.5], [2.25]]);
		expect(numbersOf(backend, p)).toEqual([16 * (1 - 0.0625) - (0.125 * 3) / (3 + 1)]);
	});

	it('uses both moments and the step number at the second step', () => {
		const [p, g] = [tensor(backend, [1], [16]), tensor(backend, [1], [2])];
		const [first, second] = [tensor(backend, [1], [1.5]), tensor(backend, [1], [2.25])];
		backend.adamW(p, g, first, second, { ...options, step: 2 });
		const [m, v] = [1.25, 1.9375];
		expect([numbersOf(backend, first), numbersOf(backend, second)]).toEqual([[m], [v]]);
		const step = (0.125 * (m / 0.75)) / (Math.sqrt(v / 0.4375) + 1);
		expect(numbersOf(backend, p)[0]).toBeCloseTo(15 - step, 15);
	});
});
