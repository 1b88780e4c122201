import { uniform } from '../../random/streams.ts';
import type { FloatPrecision, Precision } from '../contract.ts';
import { biasCasesOf, elementwiseCasesOf } from './elementwise.ts';
import { activationCasesOf, attentionCaseOf, normCasesOf, ropeCaseOf } from './layers.ts';
import { frozenCaseOf, linearCaseOf, loraCaseOf, trainedCaseOf } from './products.ts';
import { crossEntropyCaseOf, poolingCasesOf, rowCasesOf } from './rows-and-losses.ts';
import { weightKinds } from './weights.ts';
import type { AgreementCase } from './workbench.ts';

/**
 * Every family of kernels once, at shapes, kinds and layouts that the seed draws: what nobody thought of as an edge.
 *
 * @param seed equal seeds give equal cases
 */
export function randomCases(seed: number): readonly AgreementCase[] {
	let draws = 0;
	/** A whole number from `from` to `to`, small ones as often as large ones. */
	const size = (from: number, to: number): number =>
		Math.floor(from * ((to + 1) / from) ** uniform(seed, 0, draws++));
	const one = <Choice>(...choices: readonly Choice[]): Choice =>
		choices[Math.floor(choices.length * uniform(seed, 0, draws++))]!;
	const floats = () => one<FloatPrecision>('fp32', 'bf16');
	const precision = () => one<Precision>('fp32', 'bf16', 'int8');
	const kind = () => one(...weightKinds);
	const shape = () => [size(1, 90), size(1, 200), size(1, 700)] as const;
	const dropout = () => one(undefined, { seed: size(1, 1000), stream: size(1, 1000), probability: 0.25 });
	const lengths = (most: number) => Array.from({ length: size(1, 6) }, () => size(1, most));

	function attention(): AgreementCase {
		const keyValueHeads = size(1, 4);
		const layout = [keyValueHeads * size(1, 4), keyValueHeads, 2 * size(1, 48)] as const;
		// one segment has a gradient in q and k only beyond its first token
		const segments = [size(2, 70), ...lengths(70)];
		const isFamily = one(true, false);
		const window = one({}, { window: size(2, 90) });
		if (!isFamily)
			return attentionCaseOf(layout, { lengths: segments, causal: one(true, false), ...window }, floats());
		// the children of a segment follow it at once
		let root = 0;
		const parents = segments.map((_, i) => {
			if (i > 0 && one(true, false)) return root;
			root = i;
			return -1;
		});
		return attentionCaseOf(layout, { lengths: segments, parents, causal: true, ...window }, floats());
	}

	const group = Array.from({ length: size(1, 4) }, () => [size(1, 90), kind(), size(1, 40) - 1] as const);
	const cases = [
		...elementwiseCasesOf(size(1, 40_000)),
		...biasCasesOf([size(1, 150), size(1, 700)]),
		...normCasesOf([size(1, 90), size(3, 700)]),
		...activationCasesOf(size(1, 40_000)),
		...rowCasesOf([size(1, 90), size(1, 90), size(1, 300)]),
		...poolingCasesOf(lengths(90), size(1, 300)),
		ropeCaseOf([size(1, 90), size(1, 9), 128, 2 * size(1, 64)]),
		ropeCaseOf([size(1, 90), size(1, 9), 2 * size(1, 64)]),
		attention(),
		frozenCaseOf(kind(), precision(), shape()),
		trainedCaseOf(floats(), shape()),
		loraCaseOf(floats(), shape(), size(1, 40), dropout()),
		linearCaseOf(precision(), shape(), group, dropout()),
		crossEntropyCaseOf(one('f32', 'bf16', 'table4'), floats(), [size(1, 90), size(1, 150), size(2, 700)]),
	];
	return cases.map((testCase) => ({ ...testCase, name: `${testCase.name}, drawn from ${seed}` }));
}
