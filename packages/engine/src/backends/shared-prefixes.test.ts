import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, FloatPrecision, View } from './contract.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { type BackendUnderTest, backendsUnderTest } from './testing/backends-under-test.ts';
import { drawFrom, emptyTensor, relativeDistance, segmentTensors, tensor } from './testing/tensors.ts';

const reference: BackendUnderTest = { name: 'reference', create: () => createReferenceBackend() };
const backends = [reference, ...backendsUnderTest()];

/** Rows of the pack that a function's tokens lie in: those of its prefix and its own. */
function rowsOf(prefix: number, lengths: readonly number[], f: number): number[] {
	const start = prefix + lengths.slice(0, f).reduce((sum, length) => sum + length, 0);
	const own = Array.from({ length: lengths[f]! }, (_, i) => start + i);
	return [...Array.from({ length: prefix }, (_, i) => i), ...own];
}

function pick(values: ArrayLike<number>, rows: readonly number[], width: number): Float32Array {
	return Float32Array.from(
		rows.flatMap((row) => Array.from({ length: width }, (_, i) => values[row * width + i]!)),
	);
}

describe.each(backends)('a prefix that is computed once, on $name', ({ create }) => {
	let backend: Backend;
	let oneThread: Backend;
	beforeAll(() => {
		backend = create(2);
		oneThread = create(1);
	});
	afterAll(() => {
		backend.close();
		oneThread.close();
	});

	/** out, logSumExp, dq, dk, dv of segments over the given rows. */
	function attend(
		on: Backend,
		[heads, keyValueHeads, headDim, window]: readonly [number, number, number, number | undefined],
		[q, k, v, dOut]: readonly Float32Array[],
		starts: readonly number[],
		parents: readonly number[] | undefined,
		precision: FloatPrecision,
	): Float32Array[] {
		const shape = { heads, keyValueHeads, headDim, causal: true, window, scale: 0.3, precision };
		const tokens = starts.at(-1)!;
		const [wide, narrow] = [heads * headDim, keyValueHeads * headDim];
		const inputs = [q!, k!, v!, dOut!].map((values, i) =>
			tensor(on, [tokens, i % 3 === 0 ? wide : narrow], values),
		) as [View, View, View, View];
		const segments = segmentTensors(on, starts, parents);
		const outputs = [wide, heads, wide, narrow, narrow].map((width) => emptyTensor(on, [tokens, width]));
		const [out, logSumExp, dq, dk, dv] = outputs as [View, View, View, View, View];
		on.attention(out, logSumExp, inputs[0], inputs[1], inputs[2], segments, shape);
		const saved = { q: inputs[0], k: inputs[1], v: inputs[2], out, logSumExp, segments };
		on.attentionBackward({ dq, dk, dv }, saved, inputs[3], shape);
		const values = outputs.map((view) => Float32Array.from(on.download(view)));
		for (const view of [...inputs, ...outputs, segments.starts, segments.parents]) {
			if (view !== undefined) on.free(view.buffer);
		}
		return values;
	}

	it.each([
		[3, 1, 64, 70, [30, 41]],
		[3, 1, 64, 70, [30, 41], undefined, 'bf16'],
		[4, 2, 40, 151, [110, 1, 30], 40, 'bf16'],
		[2, 2, 10, 1, [1, 90, 5]],
		[4, 1, 24, 150, [110, 1, 30]],
		[4, 1, 24, 150, [110, 1, 30], 1],
		[4, 2, 24, 150, [110, 1, 30], 40],
		[2, 2, 10, 70, [1, 90, 5], 100],
		[3, 1, 64, 70, [30, 41], 111],
	] as const)(
		'%i/%i × %i: the functions of %i + %j tokens get the bytes that each gets alone, window %j, %s',
		(heads, keyValueHeads, headDim, prefix, lengths, window?: number, precision: FloatPrecision = 'fp32') => {
			const layout = [heads, keyValueHeads, headDim, window] as const;
			const tokens = prefix + lengths.reduce((sum, length) => sum + length, 0);
			const [wide, narrow] = [heads * headDim, keyValueHeads * headDim];
			const widths = [wide, narrow, narrow, wide];
			const draw = drawFrom(tokens);
			const inputs = widths.map((width) => draw.normal(tokens * width));
			// the prefix has no gradient of its own here, so that those of the functions add up to it
			inputs[3]!.fill(0, 0, prefix * wide);
			const starts = [0, prefix];
			for (const length of lengths) starts.push(starts.at(-1)! + length);
			const parents = [-1, ...lengths.map(() => 0)];
			const shared = attend(backend, layout, inputs, starts, parents, precision);
			expect(attend(oneThread, layout, inputs, starts, parents, precision)).toEqual(shared);
			const summed = [new Float64Array(tokens * narrow), new Float64Array(tokens * narrow)];
			for (let f = 0; f < lengths.length; f++) {
				const rows = rowsOf(prefix, lengths, f);
				const own = inputs.map((values, i) => pick(values, rows, widths[i]!));
				const alone = attend(backend, layout, own, [0, rows.length], undefined, precision);
				for (const [i, width] of [wide, heads, wide].entries()) {
					const isGradient = i === 2;
					const compared = isGradient ? rows.slice(prefix) : rows;
					const expected = isGradient ? alone[i]!.slice(prefix * width) : alone[i]!;
					expect(pick(shared[i]!, compared, width)).toEqual(expected);
				}
				for (const [i, sum] of summed.entries()) {
					for (const [at, row] of rows.entries()) {
						for (let d = 0; d < narrow; d++) sum[row * narrow + d]! += alone[3 + i]![at * narrow + d]!;
					}
				}
			}
			for (const [i, sum] of summed.entries())
				expect(relativeDistance(shared[3 + i]!, sum)).toBeLessThan(1e-6);
		},
	);
});
