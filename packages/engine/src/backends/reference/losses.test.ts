import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { needsShared } from '../../../../../tests/shared.ts';
import type { FocalOptions, View } from '../contract.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, indexTensor, numbersOf, targetTensor, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });

function float64Tensor(shape: readonly number[], values: readonly number[]): View {
	const view = emptyTensor(backend, shape);
	backend.upload(view, Float64Array.from(values));
	return view;
}

describe('linear and cross-entropy on the reference backend', () => {
	it('is −log softmax of the target, and 0 where the target is −100', () => {
		const hidden = tensor(backend, [3, 1], [1, 1, 1]);
		const weight = float64Tensor([3, 1], [0, Math.log(2), Math.log(5)]); // probabilities 1/8, 2/8, 5/8
		const losses = emptyTensor(backend, [3]);
		const logSumExp = emptyTensor(backend, [3]);
		const targets = targetTensor(backend, [0, -100, 2]);
		backend.linearCrossEntropy(losses, logSumExp, hidden, weight, targets, 'fp32');
		const [first, ignored, last] = numbersOf(backend, losses);
		expect(first).toBeCloseTo(Math.log(8), 14);
		expect(ignored).toBe(0);
		expect(last).toBeCloseTo(Math.log(8 / 5), 14);
		expect(numbersOf(backend, logSumExp)[1]).toBeCloseTo(Math.log(8), 14);
	});

	it('does not overflow', () => {
		const hidden = tensor(backend, [1, 1], [1e4]);
		const losses = emptyTensor(backend, [1]);
		const targets = targetTensor(backend, [0]);
		const weight = tensor(backend, [3, 1], [-1, 1, 0.5]);
		backend.linearCrossEntropy(losses, emptyTensor(backend, [1]), hidden, weight, targets, 'fp32');
		expect(numbersOf(backend, losses)).toEqual([2e4]);
	});

	it('rounds operands to bfloat16 on request', () => {
		const hidden = tensor(backend, [1, 1], [1 + 2 ** -10]);
		const weight = tensor(backend, [2, 1], [1, 3]);
		const losses = emptyTensor(backend, [1]);
		const targets = targetTensor(backend, [0]);
		backend.linearCrossEntropy(losses, emptyTensor(backend, [1]), hidden, weight, targets, 'bf16');
		expect(numbersOf(backend, losses)[0]).toBeCloseTo(2 + Math.log1p(Math.exp(-2)), 12);
	});

	it('rounds the gradient of the logits too, the left operand of both products', () => {
		const hidden = tensor(backend, [1, 1], [1]);
		const weight = tensor(backend, [2, 1], [1, 0]); // probabilities e/(1 + e) and 1/(1 + e)
		const dHidden = { view: emptyTensor(backend, [1, 1]), accumulate: false };
		backend.linearCrossEntropyBackward(
			{ dHidden, dWeight: undefined },
			{
				hidden,
				weight,
				targets: targetTensor(backend, [0]),
				logSumExp: float64Tensor([1], [Math.log(Math.E + 1)]),
			},
			tensor(backend, [1], [1]),
			'bf16',
		);
		// −1/(1 + e) = −0.26894… lies between −0.26953125 and −0.267578125
		expect(numbersOf(backend, dHidden.view)).toEqual([-0.26953125]);
	});

	it('is differentiable in hidden states and weight', () => {
		const [rows, h, vocabulary] = [5, 3, 7];
		const draw = drawFrom(1);
		const hidden = tensor(backend, [rows, h], draw.normal(rows * h));
		const weight = tensor(backend, [vocabulary, h], draw.normal(vocabulary * h));
		const targets = targetTensor(backend, [6, -100, 0, 3, 3]);
		const losses = emptyTensor(backend, [rows]);
		const logSumExp = emptyTensor(backend, [rows]);
		expectGradients(backend, {
			inputs: { hidden, weight },
			forward: () => {
				backend.linearCrossEntropy(losses, logSumExp, hidden, weight, targets, 'fp32');
				return losses;
			},
			backward: (dLosses) => {
				const dHidden = { view: emptyTensor(backend, [rows, h]), accumulate: false };
				const dWeight = { view: emptyTensor(backend, [vocabulary, h]), accumulate: false };
				const saved = { hidden, weight, targets, logSumExp };
				backend.linearCrossEntropyBackward({ dHidden, dWeight }, saved, dLosses, 'fp32');
				backend.linearCrossEntropyBackward(
					{ dHidden: undefined, dWeight: { ...dWeight, accumulate: true } },
					saved,
					dLosses,
					'fp32',
				);
				backend.scale(dWeight.view, 0.5);
				return { hidden: dHidden.view, weight: dWeight.view };
			},
		});
	});
});

function focal(
	logits: View,
	labels: readonly number[],
	weights: readonly number[],
	options: FocalOptions,
): { losses: View; probabilities: View; dLogits: View } {
	const rows = labels.length;
	const outputs = {
		losses: emptyTensor(backend, [rows]),
		probabilities: emptyTensor(backend, logits.shape),
		dLogits: emptyTensor(backend, logits.shape),
	};
	const labelsView = indexTensor(backend, labels);
	backend.focalLoss(outputs, logits, labelsView, float64Tensor([rows], weights), options);
	return outputs;
}

interface FocalFixture {
	readonly cases: readonly {
		readonly name: string;
		readonly logits: readonly (readonly number[])[];
		readonly labels: readonly number[];
		readonly results: readonly {
			readonly gamma: number;
			readonly alpha: readonly number[] | null;
			readonly losses: readonly number[];
			readonly grad_of_sum_full: readonly (readonly number[])[];
			readonly grad_of_sum_detached: readonly (readonly number[])[];
		}[];
	}[];
}

const fixture = needsShared('fixtures/focal_loss.json');

describe.skipIf(fixture.skip)('focal loss against values of 60-digit arithmetic', () => {
	const { cases } = fixture.skip
		? { cases: [] }
		: (JSON.parse(readFileSync(fixture.path, 'utf8')) as FocalFixture);

	function expectClose(found: readonly number[], expected: readonly number[], what: string): void {
		expect(found.length).toBe(expected.length);
		found.forEach((value, i) => {
			const tolerance = 1e-12 * Math.max(1, Math.abs(expected[i]!));
			expect(Math.abs(value - expected[i]!), `${what}, element ${i}`).toBeLessThanOrEqual(tolerance);
		});
	}

	it.each(cases)('$name', ({ logits, labels, results }) => {
		const view = float64Tensor([labels.length, logits[0]!.length], logits.flat());
		expect(results.length).toBeGreaterThan(0);
		for (const { gamma, alpha, losses, grad_of_sum_full, grad_of_sum_detached } of results) {
			const weights = labels.map((label) => alpha?.[label] ?? 1);
			for (const [gradient, expected] of [
				['full', grad_of_sum_full],
				['detached', grad_of_sum_detached],
			] as const) {
				const outputs = focal(view, labels, weights, { gamma, gradient });
				const what = `γ ${gamma}, α ${JSON.stringify(alpha)}, ${gradient}`;
				expectClose(numbersOf(backend, outputs.losses), losses, `loss at ${what}`);
				expectClose(numbersOf(backend, outputs.dLogits), expected.flat(), `gradient at ${what}`);
			}
		}
	});
});

describe('focal loss on the reference backend', () => {
	it('is cross-entropy at γ = 0, and gives probabilities', () => {
		const logits = float64Tensor([1, 3], [0, Math.log(2), Math.log(5)]);
		const outputs = focal(logits, [1], [3], { gamma: 0, gradient: 'full' });
		expect(numbersOf(backend, outputs.losses)[0]).toBeCloseTo(3 * Math.log(4), 14);
		numbersOf(backend, outputs.probabilities).forEach((p, i) => {
			expect(p).toBeCloseTo([1 / 8, 2 / 8, 5 / 8][i]!, 14);
		});
		numbersOf(backend, outputs.dLogits).forEach((gradient, i) => {
			expect(gradient).toBeCloseTo([3 / 8, -9 / 4, 15 / 8][i]!, 14);
		});
	});

	it.each([0, 0.5, 1, 2, 5])('is differentiable at γ = %f', (gamma) => {
		const logits = tensor(backend, [4, 3], drawFrom(1).normal(12, 2));
		const run = () => focal(logits, [0, 1, 2, 1], [1, 2, 0.5, 3], { gamma, gradient: 'full' });
		expectGradients(backend, {
			inputs: { logits },
			forward: () => run().losses,
			backward: (dLosses) => {
				const { dLogits } = run();
				backend.scaleRows(dLogits, dLosses);
				return { logits: dLogits };
			},
		});
	});

	it('holds (1 − p)^γ constant in the detached gradient', () => {
		const logits = float64Tensor([1, 2], [0, Math.log(3)]);
		const { dLogits } = focal(logits, [0], [1], { gamma: 2, gradient: 'detached' });
		numbersOf(backend, dLogits).forEach((gradient, i) => {
			expect(gradient).toBeCloseTo((i === 0 ? -1 : 1) * 0.75 ** 3, 14);
		});
	});

	it.each([0, 0.5, 2])('agrees with the loss from −log p at γ = %f', (gamma) => {
		const logits = tensor(backend, [4, 2], drawFrom(2).normal(8, 3));
		const [labels, weights] = [
			[0, 1, 1, 0],
			[1, 2, 3, 4],
		] as const;
		const crossEntropy = focal(logits, labels, [1, 1, 1, 1], { gamma: 0, gradient: 'full' });
		const whole = focal(logits, labels, weights, { gamma, gradient: 'full' });
		const outputs = { losses: emptyTensor(backend, [4]), derivative: emptyTensor(backend, [4]) };
		const weightsView = tensor(backend, [4], weights);
		const options = { gamma, gradient: 'full' } as const;
		backend.focalOfNegLogP(outputs, crossEntropy.losses, weightsView, options);
		backend.scaleRows(crossEntropy.dLogits, outputs.derivative);
		for (const [found, expected] of [
			[outputs.losses, whole.losses],
			[crossEntropy.dLogits, whole.dLogits],
		] as const) {
			const expectedNumbers = numbersOf(backend, expected);
			numbersOf(backend, found).forEach((value, i) => {
				expect(value).toBeCloseTo(expectedNumbers[i]!, 12);
			});
		}
	});

	it('keeps its digits where the label is nearly certain', () => {
		const { losses, dLogits } = focal(float64Tensor([1, 2], [40, 0]), [0], [1], {
			gamma: 1,
			gradient: 'full',
		});
		const rest = Math.exp(-40); // 1 − p and −log p to 17 digits
		expect(numbersOf(backend, losses)[0]! / rest ** 2).toBeCloseTo(1, 12);
		expect(numbersOf(backend, dLogits)[1]! / (2 * rest ** 2)).toBeCloseTo(1, 12);
	});

	it('stays a number at −log p = 0 and where rounding made it negative', () => {
		for (const gamma of [0, 0.5, 2]) {
			const outputs = { losses: emptyTensor(backend, [2]), derivative: emptyTensor(backend, [2]) };
			const options = { gamma, gradient: 'full' } as const;
			const ones = tensor(backend, [2], [1, 1]);
			backend.focalOfNegLogP(outputs, tensor(backend, [2], [0, -1e-9]), ones, options);
			expect(numbersOf(backend, outputs.losses)).toEqual([0, 0]);
			expect(numbersOf(backend, outputs.derivative)).toEqual(gamma === 0 ? [1, 1] : [0, 0]);
		}
	});
});
