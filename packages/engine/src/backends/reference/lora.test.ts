import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoraOptions } from '../contract.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });

describe('LoRA on the reference backend', () => {
	it('adds scale × x Aᵀ Bᵀ to what the base gave', () => {
		const x = tensor(backend, [1, 2], [3, 4]);
		const a = tensor(backend, [1, 2], [1, 2]);
		const b = tensor(backend, [3, 1], [1, 0, -1]);
		const h = emptyTensor(backend, [1, 1]);
		const y = tensor(backend, [1, 3], [100, 100, 100]);
		backend.loraForward(y, h, x, a, b, { scale: 2, precision: 'fp32', dropout: undefined });
		expect(numbersOf(backend, h)).toEqual([11]);
		expect(numbersOf(backend, y)).toEqual([122, 100, 78]);
	});

	it('drops elements of the adapter input as the dropout kernel does', () => {
		const draw = drawFrom(1);
		const x = tensor(backend, [3, 7], draw.normal(21));
		const dropped = emptyTensor(backend, [3, 7]);
		const dropout = { seed: 9, stream: 4, probability: 0.5 };
		backend.dropout(dropped, x, dropout);
		const a = tensor(backend, [2, 7], draw.normal(14));
		const b = tensor(backend, [5, 2], draw.normal(10));
		const results = [x, dropped].map((input, i) => {
			const h = emptyTensor(backend, [3, 2]);
			const y = tensor(backend, [3, 5], new Float32Array(15));
			const options = { scale: 2, precision: 'fp32', dropout: i === 0 ? dropout : undefined } as const;
			backend.loraForward(y, h, input, a, b, options);
			return numbersOf(backend, y);
		});
		expect(results[0]).toEqual(results[1]);
	});

	it('is differentiable in x, A and B, with and without dropout', () => {
		const size = fc.integer({ min: 1, max: 6 });
		fc.assert(
			fc.property(size, size, size, size, fc.constantFrom(0, 0.3), (m, n, k, rank, probability) => {
				const draw = drawFrom(m + 10 * n + 100 * k + 1000 * rank);
				const x = tensor(backend, [m, k], draw.normal(m * k));
				const a = tensor(backend, [rank, k], draw.normal(rank * k));
				const b = tensor(backend, [n, rank], draw.normal(n * rank));
				const h = emptyTensor(backend, [m, rank]);
				const y = emptyTensor(backend, [m, n]);
				const options: LoraOptions = {
					scale: 1.5,
					precision: 'fp32',
					dropout: probability === 0 ? undefined : { seed: 1, stream: 3, probability },
				};
				expectGradients(backend, {
					inputs: { x, a, b },
					forward: () => {
						backend.fill(y, 1);
						backend.loraForward(y, h, x, a, b, options);
						return y;
					},
					backward: (dy) => {
						const gradients = { x: emptyTensor(backend, [m, k]), a: emptyTensor(backend, [rank, k]) };
						const dB = emptyTensor(backend, [n, rank]);
						backend.loraBackward(
							{
								dx: { view: gradients.x, accumulate: false },
								dA: { view: gradients.a, accumulate: false },
								dB: { view: dB, accumulate: false },
							},
							{ x, h, a, b },
							dy,
							options,
						);
						return { ...gradients, b: dB };
					},
				});
			}),
			{ seed: 1, numRuns: 15 },
		);
	});

	it('adds to gradients that are there, and needs no dx', () => {
		const one = (value: number) => tensor(backend, [1, 1], [value]);
		const [dA, dB] = [one(10), one(20)];
		backend.loraBackward(
			{ dx: undefined, dA: { view: dA, accumulate: true }, dB: { view: dB, accumulate: true } },
			{ x: one(2), h: one(6), a: one(3), b: one(5) },
			one(1),
			{ scale: 1, precision: 'fp32', dropout: undefined },
		);
		expect([numbersOf(backend, dA), numbersOf(backend, dB)]).toEqual([[20], [26]]);
	});
});
