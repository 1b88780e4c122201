import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { needsShared } from '../../../../../tests/shared.ts';
import type { Backend } from '../contract.ts';
import {
	drawFrom,
	emptyTensor,
	indexTensor,
	relativeDistance,
	targetTensor,
	tensor,
} from '../testing/tensors.ts';
import { viewOf } from '../view.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets, sameBytes } from './testing.ts';

interface FocalCase {
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
}

const fixture = needsShared('fixtures/focal_loss.json');

describeSets('losses on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());

	it.skipIf(fixture.skip)('focal loss gives the golden losses and gradients, rounded to float32', () => {
		const { cases } = JSON.parse(readFileSync(fixture.path, 'utf8')) as { cases: FocalCase[] };
		for (const { name, logits, labels, results } of cases) {
			const shape = [logits.length, logits[0]!.length];
			// The goldens belong to float64 logits: rounding those to float32 moves a loss by up to this much.
			const magnitude = Math.max(...logits.flat().map(Math.abs));
			const tolerance = 4e-7 * (1 + magnitude);
			for (const result of results) {
				for (const gradient of ['full', 'detached'] as const) {
					const weights = labels.map((label) => result.alpha?.[label] ?? 1);
					const outputs = {
						losses: emptyTensor(backend, [shape[0]!]),
						probabilities: emptyTensor(backend, shape),
						dLogits: emptyTensor(backend, shape),
					};
					backend.focalLoss(
						outputs,
						tensor(backend, shape, logits.flat()),
						indexTensor(backend, labels),
						tensor(backend, [shape[0]!], weights),
						{ gamma: result.gamma, gradient },
					);
					const expected = gradient === 'full' ? result.grad_of_sum_full : result.grad_of_sum_detached;
					const checks = [
						[backend.download(outputs.losses), result.losses],
						[backend.download(outputs.dLogits), expected.flat()],
					] as const;
					for (const [found, golden] of checks) {
						for (const [i, value] of golden.entries()) {
							const distance = Math.abs(found[i]! - value) / Math.max(1, Math.abs(value));
							expect(distance, `${name}, gamma ${result.gamma}`).toBeLessThanOrEqual(tolerance);
						}
					}
				}
			}
		}
	});

	it('a row’s loss has the same bytes alone as among more rows and classes than a chunk holds', () => {
		const [rows, h, vocabulary] = [1030, 16, 2200];
		const draw = drawFrom(3);
		const hidden = tensor(backend, [rows, h], draw.normal(rows * h));
		const weight = tensor(backend, [vocabulary, h], draw.normal(vocabulary * h));
		const ids = draw.integers(rows, vocabulary);
		const targets = targetTensor(backend, ids);
		const [losses, logs] = [emptyTensor(backend, [rows]), emptyTensor(backend, [rows])];
		backend.linearCrossEntropy(losses, logs, hidden, weight, targets, 'fp32');
		const [lastLoss, lastLog] = [emptyTensor(backend, [1]), emptyTensor(backend, [1])];
		const last = viewOf(hidden.buffer, [1, h], (rows - 1) * h);
		const lastTarget = targetTensor(backend, ids.slice(rows - 1));
		backend.linearCrossEntropy(lastLoss, lastLog, last, weight, lastTarget, 'fp32');
		const all = backend.download(losses) as Float32Array;
		expect(sameBytes(backend.download(lastLoss), all.slice(rows - 1))).toBe(true);

		// The gradient of the last row by the formula, over all chunks of classes.
		const upstream = tensor(backend, [rows], new Float32Array(rows).fill(1, rows - 1));
		const dHidden = emptyTensor(backend, [rows, h]);
		const dWeight = emptyTensor(backend, [vocabulary, h]);
		const to = (view: typeof dHidden) => ({ view, accumulate: false });
		backend.linearCrossEntropyBackward(
			{ dHidden: to(dHidden), dWeight: to(dWeight) },
			{ hidden, weight, targets, logSumExp: logs },
			upstream,
			'fp32',
		);
		const x = backend.download(last);
		const w = backend.download(weight);
		const target = ids[rows - 1]!;
		const logits = Array.from({ length: vocabulary }, (_, c) => {
			let sum = 0;
			for (let j = 0; j < h; j++) sum += x[j]! * w[c * h + j]!;
			return sum;
		});
		const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
		const dLogits = logits.map((logit, c) => Math.exp(logit - logSum) - (c === target ? 1 : 0));
		const expectedHidden = Array.from({ length: h }, (_, j) =>
			dLogits.reduce((sum, d, c) => sum + d * w[c * h + j]!, 0),
		);
		const expectedWeight = dLogits.flatMap((d) => Array.from(x, (value) => d * value));
		expect(all[rows - 1]).toBeCloseTo(logSum - logits[target]!, 5);
		const foundHidden = backend.download(dHidden);
		expect(foundHidden.slice(0, (rows - 1) * h).every((value) => value === 0)).toBe(true);
		expect(relativeDistance(foundHidden.slice((rows - 1) * h), expectedHidden)).toBeLessThan(1e-5);
		expect(relativeDistance(backend.download(dWeight), expectedWeight)).toBeLessThan(1e-5);
	});
});
