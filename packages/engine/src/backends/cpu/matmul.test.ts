import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, Precision, QuantizedWeight, View } from '../contract.ts';
import { rowsOf } from '../view.ts';
import { createCpuBackend } from './cpu.ts';
import {
	describeSets,
	randomValues,
	randomWeight,
	roundsToBf16,
	sameBytes,
	storages,
	tensor,
	toBf16,
} from './testing.ts';

/** [tokens, outputs, inputs]: edges of tiles, blocks of the depth (384 steps) and blocks of codes (64). */
const shapes = [
	[1, 1, 1],
	[1, 33, 65],
	[7, 70, 130],
	[15, 31, 577],
	[29, 96, 64],
	[5, 40, 1601],
	[64, 192, 320],
] as const;

const options = { precision: 'fp32', accumulate: false, scale: 1 } as const;

/** A matrix inside an array: element (row, column) is at row × rowStride + column × columnStride. */
interface Strided {
	readonly values: Float32Array;
	readonly rowStride: number;
	readonly columnStride: number;
}

const plain = (values: Float32Array, columns: number): Strided => ({
	values,
	rowStride: columns,
	columnStride: 1,
});
const transposed = (values: Float32Array, columns: number): Strided => ({
	values,
	rowStride: 1,
	columnStride: columns,
});

/** left [rows, depth] · right [depth, columns] in float64, and the norm that errors are measured by. */
function product(rows: number, columns: number, depth: number, left: Strided, right: Strided) {
	const values = new Float64Array(rows * columns);
	const norms = new Float64Array(rows * columns);
	for (let m = 0; m < rows; m++) {
		for (let n = 0; n < columns; n++) {
			let sum = 0;
			let squares = 0;
			for (let k = 0; k < depth; k++) {
				const a = left.values[m * left.rowStride + k * left.columnStride]!;
				const term = a * right.values[k * right.rowStride + n * right.columnStride]!;
				sum += term;
				squares += term * term;
			}
			values[m * columns + n] = sum;
			norms[m * columns + n] = Math.sqrt(squares);
		}
	}
	return { values, norms };
}

type Product = ReturnType<typeof product>;

const products = new Map<string, Product>();

/** A product that several instruction sets are compared with, computed once. */
function once(key: string, compute: () => Product): Product {
	const known = products.get(key) ?? compute();
	products.set(key, known);
	return known;
}

/** The largest error in units of the norm. */
function largestError(
	found: ArrayLike<number>,
	expected: { values: Float64Array; norms: Float64Array },
): number {
	return expected.values.reduce((worst, value, i) => {
		const error = Math.abs(found[i]! - value) / (expected.norms[i]! + 1e-30);
		return Number.isFinite(error) ? Math.max(worst, error) : Number.POSITIVE_INFINITY;
	}, 0);
}

describeSets('matrix products on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());

	const isRounded = (precision: Precision) => precision === 'bf16' && roundsToBf16(isa);
	const rounding = (precision: Precision) => (values: Float32Array) =>
		isRounded(precision) ? values.map(toBf16) : values;

	describe.each(['fp32', 'bf16'] as const)('in %s', (precision) => {
		const round = rounding(precision);

		it.each(storages)('matmulNT and matmulNN agree with float64 for weights in %s', (storage) => {
			for (const [tokens, outputs, inputs] of shapes) {
				const { weight, values: w } = randomWeight(backend, storage, outputs, inputs, tokens + outputs);
				const x = randomValues(tokens * inputs, 5);
				const dy = randomValues(tokens * outputs, 6);
				const y = tensor(backend, [tokens, outputs], new Float32Array(tokens * outputs).fill(Number.NaN));
				const dx = tensor(backend, [tokens, inputs], new Float32Array(tokens * inputs).fill(Number.NaN));
				backend.matmulNT(y, tensor(backend, [tokens, inputs], x), weight, { ...options, precision });
				backend.matmulNN(dx, tensor(backend, [tokens, outputs], dy), weight, { ...options, precision });
				const rounded = round(w);
				const shape = `${tokens} × ${outputs} × ${inputs}`;
				const key = `${shape} ${storage} ${isRounded(precision)}`;
				const forward = once(`NT ${key}`, () =>
					product(tokens, outputs, inputs, plain(round(x), inputs), transposed(rounded, inputs)),
				);
				const backward = once(`NN ${key}`, () =>
					product(tokens, inputs, outputs, plain(round(dy), outputs), plain(rounded, inputs)),
				);
				expect(largestError(backend.download(y), forward), `matmulNT ${shape}`).toBeLessThan(1e-5);
				expect(largestError(backend.download(dx), backward), `matmulNN ${shape}`).toBeLessThan(1e-5);
			}
		});

		it('matmulTN agrees with float64', () => {
			for (const [outputs, tokens, inputs] of shapes) {
				const dy = randomValues(tokens * outputs, 7);
				const x = randomValues(tokens * inputs, 8);
				const dWeight = tensor(
					backend,
					[outputs, inputs],
					new Float32Array(outputs * inputs).fill(Number.NaN),
				);
				backend.matmulTN(
					dWeight,
					tensor(backend, [tokens, outputs], dy),
					tensor(backend, [tokens, inputs], x),
					{
						...options,
						precision,
					},
				);
				const expected = once(`TN ${outputs} × ${tokens} × ${inputs} ${isRounded(precision)}`, () =>
					product(outputs, inputs, tokens, transposed(round(dy), outputs), plain(round(x), inputs)),
				);
				expect(largestError(backend.download(dWeight), expected)).toBeLessThan(1e-5);
			}
		});

		it('a row of the result depends neither on the other rows nor on the threads', () => {
			const [outputs, inputs] = [45, 1000];
			const single = createCpuBackend({ isa, threads: 1 });
			const row = randomValues(inputs, 9);
			const others = randomValues(100 * inputs, 10);
			const weights = new Map(
				[single, backend].map((on) => [on, randomWeight(on, 'table4', outputs, inputs, 11).weight]),
			);
			const alone = rowResult(single, row, 1, 0);
			for (const tokens of [2, 13, 14, 15, 100]) {
				for (const position of [0, tokens >> 1, tokens - 1]) {
					expect(sameBytes(rowResult(backend, row, tokens, position), alone)).toBe(true);
				}
			}
			single.close();

			function rowResult(on: Backend, values: Float32Array, tokens: number, position: number) {
				const x = others.slice(0, tokens * inputs);
				x.set(values, position * inputs);
				const y = tensor(on, [tokens, outputs], new Float32Array(tokens * outputs));
				on.matmulNT(y, tensor(on, [tokens, inputs], x), weights.get(on)!, { ...options, precision });
				return on.download(rowsOf(y, position, position + 1));
			}
		});
	});

	it('gives the same bytes with one thread and with two', () => {
		const single = createCpuBackend({ isa, threads: 1 });
		const results = [single, backend].map((on) => {
			const [tokens, outputs, inputs] = [100, 200, 900];
			const { weight } = randomWeight(on, 'bf16', outputs, inputs, 12);
			const x = tensor(on, [tokens, inputs], randomValues(tokens * inputs, 13));
			const y = tensor(on, [tokens, outputs], new Float32Array(tokens * outputs));
			const dx = tensor(on, [tokens, inputs], new Float32Array(tokens * inputs));
			const dWeight = tensor(on, [outputs, inputs], new Float32Array(outputs * inputs));
			on.matmulNT(y, x, weight, options);
			on.matmulNN(dx, y, weight, options);
			on.matmulTN(dWeight, y, x, options);
			return [y, dx, dWeight].map((view) => on.download(view));
		});
		results[0]!.forEach((result, i) => {
			expect(sameBytes(result, results[1]![i]!)).toBe(true);
		});
		single.close();
	});

	it('scales and accumulates', () => {
		const [tokens, outputs, inputs] = [17, 37, 500];
		const x = tensor(backend, [tokens, inputs], randomValues(tokens * inputs, 14));
		const { weight } = randomWeight(backend, 'f32', outputs, inputs, 15);
		const before = randomValues(tokens * outputs, 16);
		const plain = tensor(backend, [tokens, outputs], before);
		const added = tensor(backend, [tokens, outputs], before);
		backend.matmulNT(plain, x, weight, options);
		backend.matmulNT(added, x, weight, { ...options, scale: -0.5, accumulate: true });
		const sums = backend.download(plain);
		backend.download(added).forEach((value, i) => {
			expect(value).toBeCloseTo(before[i]! - 0.5 * sums[i]!, 4);
		});
	});

	it.each(['table4', 'table8', 'int8'] as const)('dequantizes %s exactly', (storage) => {
		for (const [rows, columns] of [
			[1, 1],
			[3, 65],
			[20, 96],
			[9, 576],
		] as const) {
			const { weight, values } = randomWeight(backend, storage, rows, columns, rows);
			const target = tensor(backend, [rows, columns], new Float32Array(rows * columns));
			backend.dequantize(target, weight as QuantizedWeight);
			expect(sameBytes(backend.download(target), values)).toBe(true);
		}
	});

	it('writes nothing outside the result', () => {
		const [tokens, outputs, inputs] = [5, 21, 70];
		const { weight } = randomWeight(backend, 'table4', outputs, inputs, 17);
		const x = tensor(backend, [tokens, inputs], randomValues(tokens * inputs, 18));
		const around = tensor(backend, [tokens + 2, outputs], new Float32Array((tokens + 2) * outputs).fill(3));
		const inside: View = rowsOf(around, 1, tokens + 1);
		backend.matmulNT(inside, x, weight, options);
		const found = backend.download(around);
		expect([...found.slice(0, outputs), ...found.slice(-outputs)]).toEqual(new Array(2 * outputs).fill(3));
	});

	it('refuses a product without rows', () => {
		const x = tensor(backend, [0, 4], new Float32Array(0));
		const y = tensor(backend, [0, 2], new Float32Array(0));
		const { weight } = randomWeight(backend, 'f32', 2, 4, 19);
		expect(() => backend.matmulNT(y, x, weight, options)).toThrow(/at least one row/);
	});
});
