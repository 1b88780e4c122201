import { describe, expect, it } from 'vitest';
import type { AttentionOptions, Segments } from '../contract.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, segmentTensors, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });

describe('attention on the reference backend', () => {
	const shape: AttentionOptions = {
		precision: 'fp32',
		heads: 1,
		keyValueHeads: 1,
		headDim: 1,
		causal: true,
		scale: 1,
	};
	const zeros = tensor(backend, [3, 1], [0, 0, 0]);
	const values = tensor(backend, [3, 1], [1, 3, 7]);
	const segmentsOf = (starts: readonly number[], parents?: readonly number[]) =>
		segmentTensors(backend, starts, parents);
	const segments = segmentsOf([0, 2, 3]);

	it('averages over its own segment, the past alone if causal', () => {
		const out = emptyTensor(backend, [3, 1]);
		const logSumExp = emptyTensor(backend, [3, 1]);
		backend.attention(out, logSumExp, zeros, zeros, values, segments, shape);
		expect(numbersOf(backend, out)).toEqual([1, 2, 7]);
		expect(numbersOf(backend, logSumExp)).toEqual([0, Math.LN2, 0]);
		backend.attention(out, logSumExp, zeros, zeros, values, segments, { ...shape, causal: false });
		expect(numbersOf(backend, out)).toEqual([2, 2, 7]);
	});

	it('sees a window of its segment, itself included, on one side or both', () => {
		const four = tensor(backend, [4, 1], [1, 3, 7, 11]);
		const nothing = tensor(backend, [4, 1], [0, 0, 0, 0]);
		const out = emptyTensor(backend, [4, 1]);
		const averages = (window: number, causal: boolean, one: Segments) => {
			const windowed = { ...shape, window, causal };
			backend.attention(out, emptyTensor(backend, [4, 1]), nothing, nothing, four, one, windowed);
			return numbersOf(backend, out);
		};
		const whole = segmentsOf([0, 4]);
		expect(averages(1, true, whole)).toEqual([1, 3, 7, 11]);
		expect(averages(2, true, whole)).toEqual([1, 2, 5, 9]);
		expect(averages(2, false, whole)).toEqual([2, 11 / 3, 7, 9]);
		expect(averages(4, true, whole)).toEqual([1, 2, 11 / 3, 5.5]);
		// a child's tokens are counted on from its parent's end
		expect(averages(2, true, segmentsOf([0, 2, 3, 4], [-1, 0, 0]))).toEqual([1, 2, 5, 7]);
	});

	it('weighs by the softmax of scale × q·k, also where the scores are huge', () => {
		const q = tensor(backend, [2, 1], [0, Math.LN2]);
		const k = tensor(backend, [2, 1], [3, 4]);
		const two = segmentsOf([0, 2]);
		const out = emptyTensor(backend, [2, 1]);
		const logSumExp = emptyTensor(backend, [2, 1]);
		backend.attention(out, logSumExp, q, k, tensor(backend, [2, 1], [1, 4]), two, shape);
		expect(numbersOf(backend, out)[1]).toBeCloseTo(3, 6); // weights 1/3 and 2/3
		backend.scale(q, 1e4);
		backend.attention(out, logSumExp, q, k, tensor(backend, [2, 1], [1, 4]), two, shape);
		expect(numbersOf(backend, out)).toEqual([1, 4]);
	});

	it('rounds q, k, v and dOut, and nothing else, with precision bf16', () => {
		const options = { ...shape, precision: 'bf16' } as const;
		const one = segmentsOf([0, 2]);
		const column = (...values: number[]) => tensor(backend, [2, 1], values);
		const [out, logSumExp] = [emptyTensor(backend, [2, 1]), emptyTensor(backend, [2, 1])];
		const [q, k, v] = [column(0, 1 + 2 ** -9), column(2 ** -9, 1 - 2 ** -10), column(1 + 2 ** -9, 3)];
		backend.attention(out, logSumExp, q, k, v, one, options);
		const weight = 1 / (1 + Math.exp(2 ** -9 - 1)); // of 1, which k's second number becomes, beside 2⁻⁹
		expect(numbersOf(backend, out)[0]).toBe(1);
		expect(numbersOf(backend, out)[1]).toBeCloseTo(1 - weight + 3 * weight, 12);
		const [dq, dk, dv] = [q, k, v].map(() => emptyTensor(backend, [2, 1]));
		const gradients = { dq: dq!, dk: dk!, dv: dv! };
		backend.attentionBackward(
			gradients,
			{ q, k, v, out, logSumExp, segments: one },
			column(0, 1 + 2 ** -9),
			options,
		);
		expect(numbersOf(backend, dv!)[1]).toBeCloseTo(weight, 12);
		expect(numbersOf(backend, dk!)[1]).toBeCloseTo(weight * (1 - weight) * 2, 12);
		expect(numbersOf(backend, dq!)[1]).toBeCloseTo(weight * (1 - weight) * 2 * (1 - 2 ** -9), 12);
	});

	it('lets groups of query heads share a key and value head', () => {
		const grouped = { ...shape, heads: 4, keyValueHeads: 2 };
		const one = segmentsOf([0, 1]);
		const q = tensor(backend, [1, 4], [1, 2, 3, 4]);
		const keyValues = tensor(backend, [1, 2], [5, 6]);
		const out = emptyTensor(backend, [1, 4]);
		backend.attention(out, emptyTensor(backend, [1, 4]), q, keyValues, keyValues, one, grouped);
		expect(numbersOf(backend, out)).toEqual([5, 5, 6, 6]);
	});

	it('averages over the parent too', () => {
		const out = emptyTensor(backend, [3, 1]);
		const children = segmentsOf([0, 1, 2, 3], [-1, 0, 0]);
		backend.attention(out, emptyTensor(backend, [3, 1]), zeros, zeros, values, children, shape);
		expect(numbersOf(backend, out)).toEqual([1, 2, 4]);
	});

	it.each([
		{ heads: 1, keyValueHeads: 1, headDim: 3, causal: true, starts: [0, 5] },
		{ heads: 2, keyValueHeads: 2, headDim: 2, causal: false, starts: [0, 1, 4, 6] },
		{ heads: 4, keyValueHeads: 2, headDim: 2, causal: true, starts: [0, 3, 4, 8] },
		{ heads: 3, keyValueHeads: 1, headDim: 4, causal: false, starts: [0, 4] },
		{ heads: 2, keyValueHeads: 1, headDim: 2, causal: true, starts: [0, 1, 2, 3] },
		{ heads: 4, keyValueHeads: 2, headDim: 2, causal: true, starts: [0, 3, 4, 7], parents: [-1, 0, 0] },
		{ heads: 2, keyValueHeads: 1, headDim: 2, causal: true, window: 2, starts: [0, 5, 6] },
		{ heads: 2, keyValueHeads: 1, headDim: 2, causal: false, window: 2, starts: [0, 5, 6] },
		{
			...{ heads: 4, keyValueHeads: 2, headDim: 2, causal: true, window: 3 },
			...{ starts: [0, 3, 4, 7], parents: [-1, 0, 0] },
		},
		{
			...{ heads: 2, keyValueHeads: 1, headDim: 2, causal: true },
			...{ starts: [0, 2, 3, 5, 7, 8], parents: [-1, -1, 1, 1, -1] },
		},
	])('is differentiable in q, k and v: %j', ({ starts, parents, ...heads }) => {
		const tokens = starts.at(-1)!;
		const draw = drawFrom(tokens);
		const [width, keyWidth] = [heads.heads * heads.headDim, heads.keyValueHeads * heads.headDim];
		const q = tensor(backend, [tokens, width], draw.normal(tokens * width));
		const k = tensor(backend, [tokens, keyWidth], draw.normal(tokens * keyWidth));
		const v = tensor(backend, [tokens, keyWidth], draw.normal(tokens * keyWidth));
		const out = emptyTensor(backend, [tokens, width]);
		const logSumExp = emptyTensor(backend, [tokens, heads.heads]);
		const segments = segmentsOf(starts, parents);
		const options = { ...heads, scale: 0.8, precision: 'fp32' } as const;
		expectGradients(backend, {
			inputs: { q, k, v },
			forward: () => {
				backend.attention(out, logSumExp, q, k, v, segments, options);
				return out;
			},
			backward: (dOut) => {
				const [dq, dk, dv] = [q, k, v].map((view) => emptyTensor(backend, view.shape));
				const gradients = { dq: dq!, dk: dk!, dv: dv! };
				backend.attentionBackward(gradients, { q, k, v, out, logSumExp, segments }, dOut, options);
				return { q: gradients.dq, k: gradients.dk, v: gradients.dv };
			},
		});
	});
});
