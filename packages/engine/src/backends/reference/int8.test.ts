import { expect, it } from 'vitest';
import { drawFrom, emptyTensor, numbersOf, relativeDistance, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend();
const options = { precision: 'int8', accumulate: false, scale: 1 } as const;

it('rounds both operands to codes of their own block and multiplies those', () => {
	// scales 2/127 and 1/127: 1 becomes 63.5, to even 64; 0.3 becomes 38.1
	const x = tensor(backend, [1, 2], [2, 1]);
	const weight = tensor(backend, [1, 2], [0.3, -1]);
	const y = emptyTensor(backend, [1, 1]);
	backend.matmulNT(y, x, weight, options);
	const expected = ((127 * 38 - 64 * 127) * 2) / 127 ** 2;
	expect(numbersOf(backend, y)[0]).toBeCloseTo(expected, 7);
});

it('gives each 64 numbers along the depth a scale of their own, along N for the gradient of the input', () => {
	// beside 1000 in one block nothing would be left of 1
	const depth = 128;
	const values = Float32Array.from({ length: depth }, (_, i) => (i < 64 ? 1 : 1000));
	const onlyFirst = Float32Array.from({ length: depth }, (_, i) => (i < 64 ? 1 : 0));
	const forward = emptyTensor(backend, [1, 1]);
	backend.matmulNT(
		forward,
		tensor(backend, [1, depth], values),
		tensor(backend, [1, depth], onlyFirst),
		options,
	);
	expect(numbersOf(backend, forward)[0]).toBeCloseTo(64, 4);
	const backward = emptyTensor(backend, [1, 1]);
	backend.matmulNN(
		backward,
		tensor(backend, [1, depth], onlyFirst),
		tensor(backend, [depth, 1], values),
		options,
	);
	expect(numbersOf(backend, backward)[0]).toBeCloseTo(64, 4);
});

// The rounding has no derivative: dx is that of the product without it, dy · W, with its own operands rounded.
it('stays near the product of floats in both directions', () => {
	const [m, n, k] = [20, 150, 200];
	const draw = drawFrom(3);
	const [x, dy] = [tensor(backend, [m, k], draw.normal(m * k)), tensor(backend, [m, n], draw.normal(m * n))];
	const weight = tensor(backend, [n, k], draw.normal(n * k));
	const results = (['fp32', 'int8'] as const).map((precision) => {
		const [y, dx] = [emptyTensor(backend, [m, n]), emptyTensor(backend, [m, k])];
		backend.matmulNT(y, x, weight, { ...options, precision });
		backend.matmulNN(dx, dy, weight, { ...options, precision });
		return { y: numbersOf(backend, y), dx: numbersOf(backend, dx) };
	});
	for (const which of ['y', 'dx'] as const) {
		const distance = relativeDistance(results[1]![which], results[0]![which]);
		// each operand errs by absmax / 127 / √12 of a block: about 0.0057 of normal numbers
		expect(distance).toBeGreaterThan(0.005);
		expect(distance).toBeLessThan(0.012);
	}
});
