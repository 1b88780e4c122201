import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, LoraOptions } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { relativeDistance } from '../testing/tensors.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets, randomValues, roundsAdaptersToBf16, sameBytes, tensor } from './testing.ts';

/** [tokens, outputs, inputs, rank]: skinny tiles of 3 × 8, row panels of 14, odd sizes, ranks of several parts. */
const shapes = [
	[1, 1, 1, 1],
	[5, 33, 70, 4],
	[31, 64, 130, 8],
	[16, 100, 37, 16],
	[29, 45, 500, 21],
	[15, 40, 64, 64],
	[15, 24, 19, 801],
] as const;

const dropout = { seed: 2 ** 40 + 7, stream: 3, probability: 0.3 };

/** Runs an adapter forward and backward, adding to what outputs hold, and returns all outputs. */
function run(backend: Backend, shape: (typeof shapes)[number], options: LoraOptions) {
	const [tokens, outputs, inputs, rank] = shape;
	let seed = 1;
	const random = (...size: number[]) =>
		tensor(
			backend,
			size,
			randomValues(
				size.reduce((a, b) => a * b, 1),
				seed++,
			),
		);
	const [x, dy] = [random(tokens, inputs), random(tokens, outputs)];
	const [a, b] = [random(rank, inputs), random(outputs, rank)];
	const [y, h, dx] = [random(tokens, outputs), random(tokens, rank), random(tokens, inputs)];
	const [dA, dB] = [random(rank, inputs), random(outputs, rank)];
	backend.loraForward(y, h, x, a, b, options);
	backend.loraBackward(
		{
			dx: { view: dx, accumulate: true },
			dA: { view: dA, accumulate: true },
			dB: { view: dB, accumulate: false },
		},
		{ x, h, a, b },
		dy,
		options,
	);
	return { y, h, dx, dA, dB };
}

describeSets('low-rank adapters on %s', (isa) => {
	let backend: Backend;
	let single: Backend;
	const reference = createReferenceBackend();
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
		single = createCpuBackend({ isa, threads: 1 });
	});
	afterAll(() => {
		backend.close();
		single.close();
		reference.close();
	});

	describe.each([
		['without dropout', undefined],
		['with dropout', dropout],
	])('%s', (_, drop) => {
		it.each(['fp32', 'bf16'] as const)('agree with the reference in %s', (precision) => {
			// Rounding h and dh, sums of another order, can fall to another side.
			const tolerance = precision === 'bf16' && roundsAdaptersToBf16(isa) ? 1e-3 : 1e-5;
			const expectedPrecision = roundsAdaptersToBf16(isa) ? precision : 'fp32';
			for (const shape of shapes) {
				const found = run(backend, shape, { scale: 0.7, precision, dropout: drop });
				const expected = run(reference, shape, { scale: 0.7, precision: expectedPrecision, dropout: drop });
				for (const name of ['y', 'h', 'dx', 'dA', 'dB'] as const) {
					const distance = relativeDistance(
						backend.download(found[name]) as Float32Array,
						reference.download(expected[name]) as Float32Array,
					);
					expect(distance, `${name} of ${shape.join(' × ')}`).toBeLessThan(tolerance);
				}
			}
		});

		it('give the same bytes with one thread and with two', () => {
			const options = { scale: 2, precision: 'bf16', dropout: drop } as const;
			const shape = shapes[4];
			const [one, two] = [run(single, shape, options), run(backend, shape, options)];
			for (const name of ['y', 'h', 'dx', 'dA', 'dB'] as const) {
				expect(sameBytes(single.download(one[name]), backend.download(two[name]))).toBe(true);
			}
		});
	});

	it('leave out the gradient of an input that needs none', () => {
		const [tokens, outputs, inputs, rank] = [4, 6, 5, 2];
		const x = tensor(backend, [tokens, inputs], randomValues(tokens * inputs, 1));
		const dy = tensor(backend, [tokens, outputs], randomValues(tokens * outputs, 2));
		const a = tensor(backend, [rank, inputs], randomValues(rank * inputs, 3));
		const b = tensor(backend, [outputs, rank], randomValues(outputs * rank, 4));
		const h = tensor(backend, [tokens, rank], randomValues(tokens * rank, 5));
		const dA = tensor(backend, [rank, inputs], new Float32Array(rank * inputs));
		const dB = tensor(backend, [outputs, rank], new Float32Array(outputs * rank));
		backend.loraBackward(
			{ dx: undefined, dA: { view: dA, accumulate: false }, dB: { view: dB, accumulate: false } },
			{ x, h, a, b },
			dy,
			{ scale: 1, precision: 'fp32', dropout: undefined },
		);
		expect(backend.download(dA).some((value) => value !== 0)).toBe(true);
	});
});
