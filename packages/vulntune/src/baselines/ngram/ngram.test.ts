import { VulntuneError } from '@vulntune/engine';
import { describe, expect, test } from 'vitest';
import { fitBaselines } from '../fit-baselines.ts';
import { ngramCounter } from './features.ts';
import { parseNgram, serializeNgram } from './file.ts';
import { fitLogisticRegression, sigmoid } from './logistic-regression.ts';
import { sparseMatrix } from './matrix.ts';
import { fitNgram, predictNgram, type TextRow } from './model.ts';
import { selectNgram } from './select.ts';
import { buildVocabulary, countTexts, tfidf } from './vocabulary.ts';

const features = { shortest: 3, longest: 5, hashBits: 16 };

/** Functions that differ by one call, in varied surroundings. */
function functions(count: number, offset = 0): TextRow[] {
	return Array.from({ length: count }, (_, index) => {
		const name = `handle${(index + offset) * 7919}`;
		const label = index % 2 === 0 ? 1 : 0;
		return { label, text: `void ${name}(char *s) { ${label === 1 ? 'strcpy' : 'strlcpy'}(buffer, s); }` };
	});
}

describe('n-gram counts', () => {
	test('hold every n-gram of each length once per occurrence', () => {
		const { buckets, counts } = ngramCounter({ shortest: 3, longest: 5, hashBits: 20 })('abcabc');
		// abc twice, bca, cab · abca, bcab, cabc · abcab, bcabc
		expect(buckets.length).toBe(8);
		expect([...counts].sort()).toEqual([1, 1, 1, 1, 1, 1, 1, 2]);
	});

	test('do not see case or the kind of white space', () => {
		const count = ngramCounter(features);
		expect(count(' If (a)\n\t{b} ')).toEqual(count('if (A) {b}'));
		expect(count('if (a){b}')).not.toEqual(count('if (a) {b}'));
		expect(count('ab').buckets.length).toBe(0);
	});
});

test('tf-idf rows have length 1 and weigh rare n-grams more', () => {
	const counted = countTexts(['abcd', 'abcx'], features);
	const vocabulary = buildVocabulary(counted, features, 1);
	const { columnOf, values } = tfidf(vocabulary)(counted[0]!);
	expect(values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 6);
	const byFrequency = new Map(
		[...columnOf].map((column, entry) => [vocabulary.documentFrequency[column], values[entry]!]),
	);
	expect(byFrequency.get(1)! / byFrequency.get(2)!).toBeCloseTo(Math.log(3 / 2) + 1, 6);
	expect(buildVocabulary(counted, features, 2).buckets.length).toBe(1);
});

test('logistic regression finds the minimum: the gradient vanishes', () => {
	const rows = [
		[0.9, 0.1, 0],
		[0.8, 0, 0.3],
		[0.2, 0.7, 0.1],
		[0, 0.9, 0.6],
		[0.5, 0.5, 0],
	];
	const labels = [1, 1, 0, 0, 1];
	const matrix = sparseMatrix(
		3,
		rows.map((row) => ({ columnOf: Int32Array.of(0, 1, 2), values: Float32Array.from(row) })),
	);
	for (const c of [0.1, 1, 30]) {
		const fit = fitLogisticRegression(matrix, labels, {
			inverseRegularization: c,
			tolerance: 1e-8,
			passes: 5000,
		});
		expect(fit.converged).toBe(true);
		const gradient = [...fit.weights, fit.intercept];
		for (const [row, values] of rows.entries()) {
			const logit = values.reduce((sum, value, column) => sum + value * fit.weights[column]!, fit.intercept);
			const slope = c * (sigmoid(logit) - labels[row]!);
			for (const [column, value] of [...values, 1].entries()) gradient[column]! += slope * value;
		}
		for (const component of gradient) expect(Math.abs(component)).toBeLessThan(1e-5);
	}
});

describe('n-gram model', () => {
	const model = fitNgram(functions(60), { features });

	test('tells functions apart by a call', () => {
		const held = functions(40, 1000);
		const probabilities = predictNgram(
			model,
			held.map((row) => row.text),
		);
		for (const [index, row] of held.entries()) expect(probabilities[index]! >= 0.5 ? 1 : 0).toBe(row.label);
	});

	test('predicts each function alone, in any order', () => {
		const texts = functions(10, 500).map((row) => row.text);
		const together = predictNgram(model, texts);
		const reversed = predictNgram(model, texts.toReversed()).toReversed();
		expect(reversed).toEqual(together);
		expect(predictNgram(model, texts.slice(3, 4))[0]).toBe(together[3]);
	});

	test('is the same model when trained again and after a file', () => {
		expect(fitNgram(functions(60), { features })).toEqual(model);
		const read = parseNgram(serializeNgram(model, 0.25), 'ngram.json');
		expect(read.threshold).toBe(0.25);
		const texts = functions(10).map((row) => row.text);
		expect(predictNgram(read.model, texts)).toEqual(predictNgram(model, texts));
	});

	test('refuses a damaged file with its name', () => {
		const text = serializeNgram(model, null);
		const content = JSON.parse(text);
		const damaged = [
			text.slice(0, -20),
			'{}',
			JSON.stringify({ ...content, weights: content.weights.slice(0, 8) }),
			JSON.stringify({ ...content, features: { ...features, hashBits: 8 } }),
			JSON.stringify({ ...content, extra: 1 }),
			JSON.stringify({
				...content,
				weights: Buffer.alloc(4 * model.weights.length, 0xff).toString('base64'),
			}),
		];
		for (const broken of damaged) expect(() => parseNgram(broken, 'ngram.json')).toThrow(/^ngram\.json: /);
		for (const broken of damaged) expect(() => parseNgram(broken, 'ngram.json')).toThrow(VulntuneError);
	});

	test('cannot be trained on one class', () => {
		expect(() => fitNgram(functions(10).filter((row) => row.label === 1))).toThrow(/both classes/);
	});

	test('tries no larger C once the ROC AUC on validation falls', () => {
		// three labels of eight are wrong, those of validation are right: the closer the fit, the worse
		const noisy = functions(60).map((row, index) => (index % 8 < 3 ? { ...row, label: 1 - row.label } : row));
		const path = [1e-6, 1, 10, 100, 1000, 1e4];
		const { trials, model: chosen } = selectNgram(noisy as TextRow[], functions(20, 300), {
			features,
			inverseRegularizations: path,
		});
		const areas = trials.map((trial) => trial.rocAuc!);
		const fall = areas.findIndex((area, index) => index > 0 && area < Math.max(...areas.slice(0, index)));
		expect(fall).toBe(areas.length - 1);
		expect(areas.length).toBeLessThan(path.length);
		const best = areas.indexOf(Math.max(...areas));
		expect(chosen.inverseRegularization).toBe(path[best]);
	});

	test('is not selected where that was stopped', () => {
		let asked = 0;
		const stop = () => ++asked === 2;
		const rows = functions(20);
		expect(selectNgram(rows, rows, { features, stop })).toBeUndefined();
		expect(asked).toBe(2);
		expect(fitBaselines(rows, rows, { features, stop: () => true })).toBeUndefined();
	});

	test('takes its regularization from validation', () => {
		const {
			model: chosen,
			trials,
			validationProbabilities,
		} = selectNgram(functions(60), functions(20, 300), {
			features,
			inverseRegularizations: [1e-6, 10, 20],
		});
		expect(trials.map((trial) => trial.inverseRegularization)).toEqual([1e-6, 10, 20]);
		const best = trials.reduce((a, b) => (b.rocAuc! > a.rocAuc! ? b : a));
		expect(chosen.inverseRegularization).toBe(best.inverseRegularization);
		expect(validationProbabilities).toEqual(
			predictNgram(
				chosen,
				functions(20, 300).map((row) => row.text),
			),
		);
	});
});
