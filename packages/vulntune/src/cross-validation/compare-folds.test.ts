import { expect, it } from 'vitest';
import type { EvaluatedRow } from '../evaluation/compare-with-baselines.ts';
import { compareFolds, renderCrossValidation } from './compare-folds.ts';

/** Sixteen rows in eight clusters; the model ranks every fold right, but the folds on different scales. */
const rows = Array.from({ length: 16 }, (_, i): EvaluatedRow => {
	const label = (i % 2) as 0 | 1;
	const fold = i < 8 ? 0 : 1;
	return {
		...{ id: i, label, text: 'x', group: `c${i >> 1}`, functionName: 'f', weakness: 'CWE-1' },
		probability: 0.1 + 0.2 * label + 0.5 * fold + 0.001 * i,
		cluster: `${i >> 1}`,
	};
});
const foldOf = Int32Array.from(rows, (_, i) => (i < 8 ? 0 : 1));
const model = {
	name: 'model',
	scores: rows.map(({ probability }) => probability!),
	threshold: rows.map((_, i) => (i < 8 ? 0.2 : 0.7)),
};
const length = { name: 'length', scores: rows.map((_, i) => i / 100), threshold: rows.map(() => 0) };
const facts = {
	output: 'out',
	folds: 2,
	repeats: 2,
	seed: 1,
	similarity: 0.9,
	...{ withoutCommit: 1, withoutProject: 3, withoutEither: 1 },
};
const worse = { ...model, scores: rows.map(() => 0.5) };
const found = compareFolds(
	rows,
	[
		[model, length],
		[worse, length],
	],
	{ ...facts, foldOf: [foldOf, foldOf] },
	200,
);

it('calls functions by the threshold of the fold that held them out', () => {
	const [own] = found.rows;
	expect(own!.evaluation.confusion).toEqual({
		...{ truePositives: 8, falsePositives: 0, falseNegatives: 0, trueNegatives: 8 },
	});
	expect(own!.evaluation.threshold).toEqual({ value: null, reason: 'every fold has a threshold of its own' });
	expect(own!.evaluation.pairs!.correct.value).toBe(1);
	expect(own!.evaluation.recallByWeakness![0]!.recall.value).toBe(1);
	// over all rows the scales of the folds count, inside a fold they don't
	expect(own!.evaluation.rocAuc.value).toBe(0.75);
	const [detector] = found.crossValidation.detectors;
	expect(detector!.rocAucByFold).toEqual([
		[1, 1],
		[0.5, 0.5],
	]);
});

it('resamples clusters and takes the mean of repeats', () => {
	expect(found.groupedBy).toBe('cluster');
	expect(found.rows[0]!.evaluation.counts.groups).toBe(8);
	expect(found.rows[1]!.evaluation.brier.value).toBeNull();
	const [own, other] = found.crossValidation.detectors;
	expect(own).toMatchObject({ rocAuc: (0.75 + 0.5) / 2, against: null });
	const area = found.rows[1]!.evaluation.rocAuc.value!;
	expect(other!.against!.value).toBeCloseTo((0.75 + 0.5) / 2 - area, 12);
	const { rocAuc, rocAucByCluster } = found.rows[1]!.against!;
	expect(rocAucByCluster!.value).toBeCloseTo(rocAuc.value!, 12);
	expect(rocAucByCluster).not.toEqual(rocAuc);
});

it('is shown for people', () => {
	const text = renderCrossValidation(found);
	expect(text).toContain('bootstrap of 200 over 8 groups of projects and near-duplicates');
	expect(text).toMatch(/ROC AUC by fold +1 +2 +all rows\n-+.*\nmodel +1\.000 +1\.000 +0\.625/);
	expect(text).toContain('had seen nothing of its project and');
	expect(text).toContain('The project of 3 functions is not known: 2 stay with their commit, 1 name none');
	const unknown = { ...found.crossValidation, withoutProject: 16 };
	expect(renderCrossValidation({ ...found, crossValidation: unknown })).toContain(
		'nothing of its commit and',
	);
	const unnamed = { ...unknown, withoutEither: 16 };
	expect(renderCrossValidation({ ...found, crossValidation: unnamed })).toContain(
		'had seen nothing of its near-duplicates',
	);
	expect(text).toContain('mean of 2 repeats');
});
