import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildSequence, countTargets, planSequences } from './sequences.ts';

const END = 0;

describe('sequences', () => {
	test('hold whole documents, each closed and predicting itself alone', () => {
		const tokens = [
			[1, 2, 3],
			[4, 5],
		];
		const [pieces, ...rest] = planSequences([3, 2], 8, 1, 1);
		expect(rest).toEqual([]);
		const { pack, targets } = buildSequence(pieces!, tokens, END);
		const [first, second] = Array.from(pack.functionIndex, (index) => tokens[index]!);
		expect([...pack.inputIds]).toEqual([...first!, END, ...second!, END]);
		expect([...targets]).toEqual([...first!.slice(1), END, -100, ...second!.slice(1), END, -100]);
		expect(countTargets(pieces!)).toBe(5);
	});

	test('cut a long document without an end in its middle', () => {
		const plan = planSequences([7], 4, 1, 1);
		const built = plan.map((pieces) => buildSequence(pieces, [[1, 2, 3, 4, 5, 6, 7]], END));
		expect(built.map(({ pack }) => [...pack.inputIds])).toEqual([
			[1, 2, 3, END],
			[4, 5, 6, END],
			[7, END],
		]);
		expect(built.map(({ targets }) => [...targets])).toEqual([
			[2, 3, -100, -100],
			[5, 6, -100, -100],
			[END, -100],
		]);
		expect(plan.map(countTargets)).toEqual([2, 2, 1]);
	});

	test('hold every token once, within the length, with as many targets as counted', () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }),
				fc.integer({ min: 4, max: 24 }),
				fc.integer({ min: 1, max: 3 }),
				(lengths, length, epoch) => {
					let next = 1;
					const tokens = lengths.map((size) => Array.from({ length: size }, () => next++));
					const plan = planSequences(lengths, length, 7, epoch);
					const seen: number[] = [];
					for (const pieces of plan) {
						const { pack, targets } = buildSequence(pieces, tokens, END);
						expect(pack.inputIds.length).toBeLessThanOrEqual(length);
						expect(targets.filter((target) => target !== -100)).toHaveLength(countTargets(pieces));
						seen.push(...pack.inputIds.filter((id) => id !== END));
						for (const [position, target] of targets.entries()) {
							if (target !== -100) expect(target).toBe(pack.inputIds[position + 1]);
						}
					}
					expect(seen.sort((a, b) => a - b)).toEqual(tokens.flat());
				},
			),
		);
	});

	test('come in another order in another epoch', () => {
		const lengths = Array.from({ length: 50 }, () => 3);
		const order = (epoch: number) =>
			planSequences(lengths, 8, 1, epoch)
				.flat()
				.map((p) => p.functionIndex);
		expect(order(1)).toEqual(order(1));
		expect(order(2)).not.toEqual(order(1));
	});
});
