/** Products of cards of the Turing generation: float16 operands whose rows, or columns, are divided by powers of two of their own. */
import { describe, expect, it } from 'vitest';
import type { Backend } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { drawFrom, emptyTensor, relativeDistance, tensor } from '../testing/tensors.ts';
import { createStandInBackend, prepareStandIn, type StandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** Tokens, outputs and inputs: several tiles of either size, and rows that are no multiple of 8. */
const [m, n, k] = [37, 150, 130];
type Shape = readonly [rows: number, columns: number];
type Lines = 'rows' | 'columns';

/** Two matrices, and which of their sides is not summed over. */
const directions: readonly {
	readonly name: 'matmulNT' | 'matmulNN' | 'matmulTN';
	readonly shapes: readonly [left: Shape, right: Shape, result: Shape];
	readonly lines: readonly [left: Lines, right: Lines];
}[] = [
	{
		name: 'matmulNT',
		shapes: [
			[m, k],
			[n, k],
			[m, n],
		],
		lines: ['rows', 'rows'],
	},
	{
		name: 'matmulNN',
		shapes: [
			[m, n],
			[n, k],
			[m, k],
		],
		lines: ['rows', 'columns'],
	},
	{
		name: 'matmulTN',
		shapes: [
			[m, n],
			[m, k],
			[n, k],
		],
		lines: ['columns', 'columns'],
	},
];
type Product = (typeof directions)[number];

const turing: StandIn = { capability: 75 };

function multiplyOn(
	backend: Backend,
	{ name, shapes }: Product,
	left: Float32Array,
	right: Float32Array,
	precision: 'bf16' | 'fp32' = 'bf16',
): Float32Array {
	const result = emptyTensor(backend, shapes[2]);
	const operands = [tensor(backend, shapes[0], left), tensor(backend, shapes[1], right)] as const;
	backend[name](result, ...operands, { precision, accumulate: false, scale: 1 });
	return backend.download(result) as Float32Array;
}

function multiply(kind: StandIn, product: Product, left: Float32Array, right: Float32Array): Float32Array {
	const backend = createStandInBackend(kind);
	const result = multiplyOn(backend, product, left, right);
	backend.close();
	return result;
}

function drawn({ shapes }: Product): readonly [left: Float32Array, right: Float32Array] {
	const draw = drawFrom(5);
	const [[rows, columns], [otherRows, otherColumns]] = shapes;
	return [draw.normal(rows * columns), draw.normal(otherRows * otherColumns)];
}

/** Each line times its power of two. */
function scaled(values: Float32Array, [, columns]: Shape, lines: Lines, powers: Int32Array): Float32Array {
	return values.map(
		(value, i) => value * 2 ** powers[lines === 'rows' ? Math.floor(i / columns) : i % columns]!,
	);
}

const sameBytes = (a: Float32Array, b: Float32Array) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

describe.skipIf(missing !== undefined).each(directions)('$name in float16', (product) => {
	const { shapes, lines } = product;
	const [left, right] = drawn(product);

	it('has an eighth of the error of bfloat16', () => {
		const exact = multiplyOn(createReferenceBackend(), product, left, right, 'fp32');
		const errorOn = (kind: StandIn) => relativeDistance(multiply(kind, product, left, right), exact);
		const error = errorOn(turing);
		expect(error).toBeGreaterThan(1e-4);
		expect(error).toBeLessThan(errorOn({ capability: 80 }) / 7);
	});

	it('loses nothing to magnitudes that float16 has not, of any line', () => {
		const draw = drawFrom(6);
		const powersOf = (shape: Shape, side: Lines) =>
			draw.integers(shape[side === 'rows' ? 0 : 1], 101).map((power) => power - 50);
		const [leftPowers, rightPowers] = [powersOf(shapes[0], lines[0]), powersOf(shapes[1], lines[1])];
		const far = multiply(
			turing,
			product,
			scaled(left, shapes[0], lines[0], leftPowers),
			scaled(right, shapes[1], lines[1], rightPowers),
		);
		// powers of two change no digit
		const near = multiply(turing, product, left, right);
		const expected = scaled(scaled(near, shapes[2], 'rows', leftPowers), shapes[2], 'columns', rightPowers);
		expect(sameBytes(far, expected)).toBe(true);
	});

	it('has the same bytes in large and in small tiles', () => {
		const [large, small] = [1, 40].map((multiprocessors) =>
			multiply({ ...turing, multiprocessors }, product, left, right),
		);
		expect(sameBytes(large!, small!)).toBe(true);
	});

	it('keeps what is no number to its own line', () => {
		const place = (line: number) => (lines[0] === 'rows' ? line * shapes[0][1] + 7 : 7 * shapes[0][1] + line);
		const odd = left.slice();
		odd[place(3)] = Number.NaN;
		odd[place(5)] = Number.POSITIVE_INFINITY;
		// a line of nothing
		for (let i = 0; i < odd.length; i++) {
			const line = lines[0] === 'rows' ? Math.floor(i / shapes[0][1]) : i % shapes[0][1];
			if (line === 9) odd[i] = 0;
		}
		const [found, whole] = [odd, left].map((values) => multiply(turing, product, values, right));
		const width = shapes[2][1];
		const rowOf = (values: Float32Array, row: number) => values.slice(row * width, (row + 1) * width);
		expect(rowOf(found!, 3).every(Number.isNaN)).toBe(true);
		expect(rowOf(found!, 5).some(Number.isFinite)).toBe(false);
		expect(rowOf(found!, 9).every((value) => value === 0)).toBe(true);
		for (let row = 0; row < shapes[2][0]; row++) {
			if ([3, 5, 9].includes(row)) continue;
			expect(sameBytes(rowOf(found!, row), rowOf(whole!, row)), `row ${row}`).toBe(true);
		}
	});
});

it.skipIf(missing !== undefined)('has gradients that float16 would flush to zero arrive', () => {
	// what remains of a loss over many functions: far below 2^-24, the least that float16 has
	const product = directions[1]!;
	const [left, right] = drawn(product);
	const tiny = left.map((value) => value * 1e-12);
	const exact = multiplyOn(createReferenceBackend(), product, tiny, right, 'fp32');
	expect(relativeDistance(multiply(turing, product, tiny, right), exact)).toBeLessThan(5e-4);
});
