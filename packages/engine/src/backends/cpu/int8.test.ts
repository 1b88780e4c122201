import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backend, View } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { emptyTensor, numbersOf, relativeDistance } from '../testing/tensors.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets, randomValues, randomWeight, sameBytes, storages, tensor } from './testing.ts';

const options = { precision: 'int8', accumulate: false, scale: 1 } as const;
const reference = createReferenceBackend();

/** y and dx of operands drawn from seeds: what both directions give on one backend. */
function bothDirections(
	backend: Backend,
	shape: readonly [number, number, number],
	kind: (typeof storages)[number],
) {
	const [tokens, outputs, inputs] = shape;
	const { weight } = randomWeight(backend, kind, outputs, inputs, 21);
	const y = emptyTensor(backend, [tokens, outputs]);
	const dx = emptyTensor(backend, [tokens, inputs]);
	backend.matmulNT(y, tensor(backend, [tokens, inputs], randomValues(tokens * inputs, 22)), weight, options);
	backend.matmulNN(
		dx,
		tensor(backend, [tokens, outputs], randomValues(tokens * outputs, 23)),
		weight,
		options,
	);
	return { y: backend.download(y), dx: backend.download(dx) };
}

/** x [1, K] · wᵀ [1, K], and the same numbers as a product along the rows of W. */
function dots(backend: Backend, x: ArrayLike<number>, w: ArrayLike<number>): [number, number] {
	const depth = x.length;
	const row = tensor(backend, [1, depth], Float32Array.from(x));
	const forward = emptyTensor(backend, [1, 1]);
	backend.matmulNT(forward, row, tensor(backend, [1, depth], Float32Array.from(w)), options);
	const backward = emptyTensor(backend, [1, 1]);
	backend.matmulNN(backward, row, tensor(backend, [depth, 1], Float32Array.from(w)), options);
	return [forward, backward].map((view: View) => numbersOf(backend, view)[0]!) as [number, number];
}

describeSets('products in 8 bits on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());

	// deeper than what is summed at once (24 or 12 blocks), in both directions
	it.each([
		[15, 40, 1601],
		[15, 1601, 40],
	] as const)('agree with the reference beyond one block of the depth: %i × %i × %i', (...shape) => {
		for (const kind of ['bf16', 'table4'] as const) {
			const found = bothDirections(backend, shape, kind);
			const expected = bothDirections(reference, shape, kind);
			expect(relativeDistance(found.y, expected.y)).toBeLessThan(1e-6);
			expect(relativeDistance(found.dx, expected.dx)).toBeLessThan(1e-6);
		}
	});

	it('sum codes exactly, at their extremes too', () => {
		// with a largest magnitude of 127 a scale is 1 and codes are the numbers themselves
		const signs = [1, -1].flatMap((a) => [1, -1].map((b) => [a, b] as const));
		for (const [a, b] of signs) {
			const sums = dots(backend, new Float32Array(256).fill(127 * a), new Float32Array(256).fill(127 * b));
			expect(sums).toEqual([a * b * 256 * 127 ** 2, a * b * 256 * 127 ** 2]);
		}
		const whole = (seed: number) => randomValues(100, seed).map((value) => Math.round(value * 80));
		const [x, w] = [whole(1), whole(2)];
		for (const values of [x, w]) for (const i of [3, 70]) values[i] = 127;
		const expected = x.reduce((sum, value, i) => sum + value * w[i]!, 0);
		expect(dots(backend, x, w)).toEqual([expected, expected]);
	});

	it('round halves to even', () => {
		const x = [127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5];
		const expected = [127, 0, 2, 2, 0, -2, -2];
		for (const [i, value] of expected.entries()) {
			// 127 times the number under test, and nothing of the others
			const one = x.map((_, j) => (j === i ? 127 : 0));
			expect(dots(backend, x, one)).toEqual([127 * value, 127 * value]);
			expect(dots(backend, one, x)).toEqual([127 * value, 127 * value]);
		}
	});

	it('take zeros, the largest and the smallest numbers', () => {
		const ones = new Float32Array(70).fill(1);
		expect(dots(backend, new Float32Array(70), ones)).toEqual([0, 0]);
		expect(dots(backend, ones, new Float32Array(70))).toEqual([0, 0]);
		// nothing of a denormal block is left, and it makes no NaN
		expect(dots(backend, new Float32Array(70).fill(1e-40), ones)).toEqual([0, 0]);
		expect(dots(backend, ones, new Float32Array(70).fill(-1e-40))).toEqual([0, 0]);
		for (const sum of dots(backend, new Float32Array(70).fill(1e34), new Float32Array(70).fill(1e-2))) {
			expect(sum / (70 * 1e32)).toBeCloseTo(1, 5);
		}
		// a block of its own scale beside one a million times as large
		const mixed = Float32Array.from({ length: 128 }, (_, i) => (i < 64 ? 1e-3 : 1e3));
		const alternating = Float32Array.from({ length: 128 }, (_, i) => (i < 64 ? 1 : (-1) ** i));
		for (const sum of dots(backend, mixed, alternating)) expect(sum).toBeCloseTo(0.064, 6);
	});

	it.each([Number.NaN, Number.POSITIVE_INFINITY])('give no finite number for %d', (value) => {
		const bad = new Float32Array(70).fill(1);
		bad[66] = value;
		const good = new Float32Array(70).fill(1);
		for (const sum of [...dots(backend, bad, good), ...dots(backend, good, bad)]) {
			expect(sum).not.toSatisfy(Number.isFinite);
		}
	});

	it.each(storages)('scale, accumulate and give the same bytes with one thread for %s', (kind) => {
		const single = createCpuBackend({ isa, threads: 1 });
		const shape = [41, 130, 200] as const;
		const [one, two] = [bothDirections(single, shape, kind), bothDirections(backend, shape, kind)];
		expect(sameBytes(one.y, two.y) && sameBytes(one.dx, two.dx)).toBe(true);
		single.close();

		const before = randomValues(41 * 130, 24);
		const y = tensor(backend, [41, 130], before);
		const { weight } = randomWeight(backend, kind, 130, 200, 21);
		const x = tensor(backend, [41, 200], randomValues(41 * 200, 22));
		backend.matmulNT(y, x, weight, { ...options, accumulate: true, scale: -0.5 });
		const expected = before.map((value, i) => value - 0.5 * two.y[i]!);
		expect(relativeDistance(backend.download(y), expected)).toBeLessThan(1e-6);
	});
});
