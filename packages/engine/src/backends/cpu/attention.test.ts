import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AttentionOptions, Backend, FloatPrecision, View } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { drawFrom, emptyTensor, relativeDistance, segmentTensors, tensor } from '../testing/tensors.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets, multipliesAttentionInBf16 } from './testing.ts';

type Arrays = Readonly<Record<'q' | 'k' | 'v' | 'dOut', Float32Array>>;

/** Forward and backward of one segment of `length` tokens: out, logSumExp, dq, dk, dv. */
function attend(backend: Backend, length: number, shape: AttentionOptions, arrays: Arrays) {
	const wide = [length, shape.heads * shape.headDim];
	const narrow = [length, shape.keyValueHeads * shape.headDim];
	const [q, dOut] = [tensor(backend, wide, arrays.q), tensor(backend, wide, arrays.dOut)];
	const [k, v] = [tensor(backend, narrow, arrays.k), tensor(backend, narrow, arrays.v)];
	const segments = segmentTensors(backend, [0, length]);
	const out = emptyTensor(backend, wide);
	const logSumExp = emptyTensor(backend, [length, shape.heads]);
	backend.attention(out, logSumExp, q, k, v, segments, shape);
	const gradients = {
		dq: emptyTensor(backend, wide),
		dk: emptyTensor(backend, narrow),
		dv: emptyTensor(backend, narrow),
	};
	backend.attentionBackward(gradients, { q, k, v, out, logSumExp, segments }, dOut, shape);
	const { dq, dk, dv } = gradients;
	const views: View[] = [out, logSumExp, dq, dk, dv];
	const values = views.map((view) => backend.download(view));
	for (const view of [...views, q, k, v, dOut, segments.starts]) backend.free(view.buffer);
	return values;
}

function draw(length: number, heads: number, keyValueHeads: number, headDim: number): Arrays {
	const random = drawFrom(length + heads);
	return {
		q: random.normal(length * heads * headDim),
		k: random.normal(length * keyValueHeads * headDim),
		v: random.normal(length * keyValueHeads * headDim),
		dOut: random.normal(length * heads * headDim),
	};
}

/** Head `head` of a matrix [length, heads × headDim]. */
function headOf(matrix: Float32Array, head: number, heads: number, headDim: number): Float32Array {
	return matrix.filter((_, i) => Math.floor(i / headDim) % heads === head);
}

describeSets('attention over long segments on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());
	// where bf16 is computed as fp32, once is enough
	const precisions: readonly FloatPrecision[] = multipliesAttentionInBf16(isa) ? ['fp32', 'bf16'] : ['fp32'];

	// Longer than one chunk of the backward pass, and no multiple of any tile.
	it.each([
		[601, true, 2, 1, undefined, 'fp32'],
		[601, false, 2, 1, undefined, 'fp32'],
		[601, true, 2, 1, 100, 'fp32'],
		[601, false, 2, 1, 100, 'fp32'],
		[601, true, 3, 1, undefined, 'bf16'],
		[601, false, 2, 1, 100, 'bf16'],
	] as const)(
		'%i tokens, causal %s, %i heads on %i, window %s agree with the reference in %s',
		(length, causal, heads, keyValueHeads, window, precision) => {
			const shape = { heads, keyValueHeads, headDim: 10, causal, window, scale: 0.3, precision };
			const arrays = draw(length, heads, keyValueHeads, 10);
			const reference = createReferenceBackend();
			const rounds = precision === 'bf16' && multipliesAttentionInBf16(isa);
			const expected = attend(reference, length, { ...shape, precision: rounds ? 'bf16' : 'fp32' }, arrays);
			const found = attend(backend, length, shape, arrays);
			reference.close();
			for (const [i, values] of expected.entries()) {
				expect(relativeDistance(found[i]!, values)).toBeLessThan(rounds ? 1e-2 : 2e-6);
			}
		},
	);

	it('rounds what it multiplies under bf16 with a matrix unit, and nowhere else', () => {
		const shape = { heads: 3, keyValueHeads: 1, headDim: 40, causal: true, scale: 0.2 };
		const arrays = draw(90, 3, 1, 40);
		const exact = attend(backend, 90, { ...shape, precision: 'fp32' }, arrays) as Float32Array[];
		const found = attend(backend, 90, { ...shape, precision: 'bf16' }, arrays) as Float32Array[];
		for (const [i, values] of exact.entries()) {
			const distance = relativeDistance(found[i]!, values);
			if (!multipliesAttentionInBf16(isa)) expect(distance).toBe(0);
			else if (i !== 1) expect(distance).toBeGreaterThan(1e-3); // all but logSumExp, which is near 5
			expect(distance).toBeLessThan(1e-2);
		}
	});

	// Nine heads of 2,100 tokens need more partial sums than are held at a time.
	it.each(precisions)('gives each head the bytes that it has alone, in %s', (precision) => {
		const [length, heads, headDim] = [2100, 9, 8];
		const shape = { heads, keyValueHeads: heads, headDim, causal: true, scale: 0.35, precision };
		const arrays = draw(length, heads, heads, headDim);
		const [out, , dq, dk, dv] = attend(backend, length, shape, arrays) as Float32Array[];
		for (const head of [0, 4, 8]) {
			const part = (matrix: Float32Array) => headOf(matrix, head, heads, headDim);
			const alone = attend(
				backend,
				length,
				{ ...shape, heads: 1, keyValueHeads: 1 },
				{ q: part(arrays.q), k: part(arrays.k), v: part(arrays.v), dOut: part(arrays.dOut) },
			);
			const together = [out!, dq!, dk!, dv!].map(part);
			for (const [i, values] of [alone[0], alone[2], alone[3], alone[4]].entries()) {
				expect(Buffer.from(values!.buffer).equals(Buffer.from(together[i]!.buffer))).toBe(true);
			}
		}
	});

	it.each(precisions)('carries a NaN to the tokens that see it and to no other, in %s', (precision) => {
		const shape = { heads: 1, keyValueHeads: 1, headDim: 8, causal: true, scale: 0.3, precision };
		const arrays = draw(100, 1, 1, 8);
		arrays.k[70 * 8] = Number.NaN;
		const [out] = attend(backend, 100, shape, arrays);
		const reached = Array.from({ length: 100 }, (_, t) => Number.isNaN(out![t * 8]));
		expect(reached).toEqual(Array.from({ length: 100 }, (_, t) => t >= 70));
	});

	it('attends to scores of any size', () => {
		const heads = { heads: 1, keyValueHeads: 1, headDim: 8 };
		const shape = { ...heads, causal: false, scale: 1, precision: 'fp32' } as const;
		const arrays = draw(40, 1, 1, 8);
		for (let i = 0; i < arrays.q.length; i++) arrays.q[i]! *= 3e4;
		const reference = createReferenceBackend();
		const [expected] = attend(reference, 40, shape, arrays);
		const [found] = attend(backend, 40, shape, arrays);
		reference.close();
		expect(relativeDistance(found!, expected!)).toBeLessThan(2e-3);
	});
});
