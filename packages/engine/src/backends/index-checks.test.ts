import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from './contract.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { backendsUnderTest } from './testing/backends-under-test.ts';
import { emptyTensor, integerTensor, tensor } from './testing/tensors.ts';

const backends = [
	{ name: 'reference', create: () => createReferenceBackend() },
	...backendsUnderTest().map(({ name, create }) => ({ name, create: () => create(1) })),
];

describe.each(backends)('indices that are data, on $name', ({ create }) => {
	let backend: Backend;
	beforeAll(() => {
		backend = create();
	});
	afterAll(() => backend.close());

	const zeros = (...shape: number[]) => {
		const length = shape.reduce((product, size) => product * size, 1);
		return tensor(backend, shape, new Float32Array(length));
	};
	const integers = (values: readonly number[], shape = [values.length]) =>
		integerTensor(backend, shape, values);
	const coded = (code: string) => expect.objectContaining({ code, kind: 'runtime' });

	function focalLoss(labels: readonly number[]): void {
		const outputs = {
			losses: emptyTensor(backend, [2]),
			probabilities: emptyTensor(backend, [2, 3]),
			dLogits: emptyTensor(backend, [2, 3]),
		};
		backend.focalLoss(outputs, zeros(2, 3), integers(labels), zeros(2), { gamma: 1, gradient: 'full' });
	}

	test('a label must be a class', () => {
		focalLoss([0, 2]);
		for (const label of [-100, -1, 3, 2 ** 31 - 1]) {
			expect(() => focalLoss([0, label])).toThrow(coded('LABEL_RANGE'));
		}
		expect(() => focalLoss([0, 3])).toThrow('label 2 of 2 is 3, but there are 3 classes');
	});

	test.each(['mean', 'max'] as const)('a pooled range (%s) must hold rows of the pack', (kind) => {
		const pool = (bounds: readonly number[]) => {
			const ranges = integers(bounds, [2, 2]);
			const argmax = kind === 'max' ? integers([0, 0], [2, 1]) : undefined;
			const forward = () => backend.poolRows(kind, emptyTensor(backend, [2, 1]), argmax, zeros(5, 1), ranges);
			const backward = () => backend.poolRowsBackward(kind, zeros(5, 1), zeros(2, 1), argmax, ranges);
			return [forward, backward];
		};
		for (const run of pool([0, 2, 2, 5])) run();
		for (const second of [
			[2, 6],
			[3, 3],
			[4, 3],
			[-1, 3],
			[5, 6],
		]) {
			for (const run of pool([0, 2, ...second])) expect(run).toThrow(coded('POOL_RANGE'));
		}
	});

	test.each(['mean', 'max'] as const)('a function (%s) must have a row in one of its ranges', (kind) => {
		const pool = (bounds: readonly number[]) => {
			const ranges = integers(bounds, [1, 4]);
			const argmax = kind === 'max' ? integers([0], [1, 1]) : undefined;
			backend.poolRows(kind, emptyTensor(backend, [1, 1]), argmax, zeros(5, 1), ranges);
		};
		pool([0, 0, 4, 5]);
		pool([0, 1, 5, 5]);
		expect(() => pool([0, 0, 3, 3])).toThrow(coded('POOL_RANGE'));
		expect(() => pool([0, 3, 4, 3])).toThrow(coded('POOL_RANGE'));
	});

	test.each([
		[[0, 2, 5], undefined, 3, undefined],
		[[0, 2, 2, 5], undefined, 3, undefined],
		[[0, 2, 5], undefined, 2, 'ATTENTION_LONGEST_SEGMENT'],
		[[0, 2, 4], undefined, 3, 'ATTENTION_SEGMENTS'],
		[[0, 2, 6], undefined, 4, 'ATTENTION_SEGMENTS'],
		[[1, 2, 5], undefined, 3, 'ATTENTION_SEGMENTS'],
		[[-1, 2, 5], undefined, 3, 'ATTENTION_SEGMENTS'],
		[[0, 5, 3, 5], undefined, 5, 'ATTENTION_SEGMENTS'],
		[[0, 2, 3, 4, 5], [-1, 0, 0, -1], 3, undefined],
		[[0, 2, 3, 4, 5], [-1, 0, -1, 2], 3, undefined],
		[[0, 2, 4, 5], [-1, 0, 0], 3, 'ATTENTION_LONGEST_SEGMENT'],
		[[0, 2, 3, 5], [-1, 0], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 0, 1], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, -1, 0], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 1, -1], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [2, -1, -1], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, -2, -1], 5, 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 3, -1], 5, 'ATTENTION_PARENTS'],
	] as const)(
		'segments %j of 5 tokens with parents %j, the longest of %i: %s',
		(bounds, above, longest, code) => {
			const shape = { heads: 1, keyValueHeads: 1, headDim: 2, causal: true, scale: 1 };
			const segments = { starts: integers(bounds), parents: above && integers(above), longest };
			const [q, k, v, out] = [zeros(5, 2), zeros(5, 2), zeros(5, 2), zeros(5, 2)];
			const logSumExp = zeros(5, 1);
			const gradients = { dq: zeros(5, 2), dk: zeros(5, 2), dv: zeros(5, 2) };
			const saved = { q, k, v, out, logSumExp, segments };
			for (const run of [
				() => backend.attention(out, logSumExp, q, k, v, segments, shape),
				() => backend.attentionBackward(gradients, saved, zeros(5, 2), shape),
			]) {
				if (code === undefined) run();
				else expect(run).toThrow(coded(code));
			}
		},
	);

	test('only causal attention sees a parent', () => {
		const shape = { heads: 1, keyValueHeads: 1, headDim: 2, causal: false, scale: 1 };
		const x = zeros(3, 2);
		const parents = (...above: number[]) => ({
			starts: integers([0, 1, 3]),
			parents: integers(above),
			longest: 3,
		});
		backend.attention(zeros(3, 2), zeros(3, 1), x, x, x, parents(-1, -1), shape);
		const both = () => backend.attention(zeros(3, 2), zeros(3, 1), x, x, x, parents(-1, 0), shape);
		expect(both).toThrow(coded('ATTENTION_PARENTS'));
	});
});
