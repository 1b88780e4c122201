import { describe, expect, test } from 'vitest';
import { attention, focalLoss, gatherRows, linearCrossEntropy, poolRows } from '../ops/index.ts';
import { Arena } from '../tensor/arena.ts';
import { uploadIndices, uploadRanges, uploadSegments, uploadTargets } from '../tensor/indices.ts';
import { type Context, upload } from '../tensor/tensor.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';

const backend = createReferenceBackend();
const context: Context = {
	backend,
	precision: 'fp32',
	arena: new Arena(backend),
	tape: undefined,
	dropoutSeed: undefined,
};
const zeros = (...shape: number[]) =>
	upload(context, new Float32Array(shape.reduce((product, size) => product * size, 1)), shape);
const whole = (values: readonly number[]) => Int32Array.from(values);
const coded = (code: string) => expect.objectContaining({ code, kind: 'runtime' });

describe('what kernels find memory by', () => {
	test('rows are those of the table', () => {
		const gather = (...rows: number[]) =>
			gatherRows(context, zeros(3, 2), uploadIndices(context, whole(rows)));
		expect(gather(2, 0).shape).toEqual([2, 2]);
		expect(() => gather(0, 3)).toThrow(coded('ROW_RANGE'));
		expect(() => gather(0, 3)).toThrow('row 3 is asked for, but the table has 3 rows');
		expect(() => gather(0, -1)).toThrow('index 2 of 2 is -1');
	});

	test('labels are classes', () => {
		const loss = (...labels: number[]) =>
			focalLoss(context, zeros(2, 3), uploadIndices(context, whole(labels)), zeros(2), {
				gamma: 1,
				gradient: 'full',
			});
		loss(0, 2);
		for (const label of [-100, -1, 3, 2 ** 31 - 1]) expect(() => loss(0, label)).toThrow(coded('ROW_RANGE'));
	});

	test('targets are classes, or none', () => {
		const loss = (...targets: number[]) =>
			linearCrossEntropy(context, zeros(2, 4), zeros(3, 4), uploadTargets(context, whole(targets)));
		loss(2, -100);
		for (const target of [3, -1, -99]) expect(() => loss(0, target)).toThrow(coded('ROW_RANGE'));
	});

	test.each(['mean', 'max'] as const)('a pooled range (%s) holds rows of the pack', (kind) => {
		const pool = (...bounds: number[]) =>
			poolRows(context, kind, zeros(5, 1), uploadRanges(context, whole(bounds), [2, 2]));
		pool(0, 2, 2, 5);
		for (const [from, to] of [
			[2, 6],
			[3, 3],
			[4, 3],
			[-1, 3],
			[5, 6],
		]) {
			expect(() => pool(0, 2, from!, to!)).toThrow(coded('POOL_RANGE'));
		}
	});

	test.each(['mean', 'max'] as const)('a function (%s) has a row in one of its ranges', (kind) => {
		const pool = (...bounds: number[]) =>
			poolRows(context, kind, zeros(5, 1), uploadRanges(context, whole(bounds), [1, 4]));
		pool(0, 0, 4, 5);
		pool(0, 1, 5, 5);
		expect(() => pool(0, 0, 3, 3)).toThrow(coded('POOL_RANGE'));
		expect(() => pool(0, 3, 4, 3)).toThrow(coded('POOL_RANGE'));
	});

	test.each([
		[[0, 2, 5], undefined, 3],
		[[0, 2, 2, 5], undefined, 3],
		[[0, 2, 3, 4, 5], [-1, 0, 0, -1], 3],
		[[0, 2, 3, 4, 5], [-1, 0, -1, 2], 3],
		[[0, 2, 4, 5], [-1, 0, 0], 4],
		[[0, 2, 4], undefined, 'ATTENTION_SEGMENTS'],
		[[0, 2, 6], undefined, 'ATTENTION_SEGMENTS'],
		[[1, 2, 5], undefined, 'ATTENTION_SEGMENTS'],
		[[-1, 2, 5], undefined, 'ATTENTION_SEGMENTS'],
		[[0, 5, 3, 5], undefined, 'ATTENTION_SEGMENTS'],
		[[0, 2, 3, 5], [-1, 0], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 0, 1], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, -1, 0], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 1, -1], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [2, -1, -1], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, -2, -1], 'ATTENTION_PARENTS'],
		[[0, 2, 3, 5], [-1, 3, -1], 'ATTENTION_PARENTS'],
	] as const)('segments %j of 5 tokens with parents %j: %s', (bounds, above, result) => {
		const make = () => uploadSegments(context, whole(bounds), above && whole(above));
		const attend = () =>
			attention(context, zeros(5, 2), zeros(5, 2), zeros(5, 2), make(), {
				heads: 1,
				keyValueHeads: 1,
				headDim: 2,
				causal: true,
				scale: 1,
			});
		if (typeof result === 'string') expect(attend).toThrow(coded(result));
		else expect([attend().shape, make().longest]).toEqual([[5, 2], result]);
	});

	test('only causal attention sees a parent', () => {
		const shape = { heads: 1, keyValueHeads: 1, headDim: 2, causal: false, scale: 1 };
		const x = zeros(3, 2);
		const attend = (...parents: number[]) =>
			attention(context, x, x, x, uploadSegments(context, whole([0, 1, 3]), whole(parents)), shape);
		attend(-1, -1);
		expect(() => attend(-1, 0)).toThrow(coded('ATTENTION_PARENTS'));
	});
});
