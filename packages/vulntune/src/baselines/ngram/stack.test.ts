import { uniform } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { assignGroups } from '../../audit/assign-groups.ts';
import { rocAuc } from '../../metrics/rank-metrics.ts';
import { curveOf } from '../../metrics/ranking.ts';
import { fitNgram, ngramLogOdds, type TextRow } from './model.ts';
import { fitStack, stackedScores } from './stack.ts';

const never = { stop: () => false };
/** Calls of which some are found in vulnerable functions alone, and a name of their own. */
const rows = Array.from({ length: 12 }, (_, i): TextRow => {
	const label = (i % 2) as 0 | 1;
	const call = label === 1 ? (i % 4 === 1 ? 'unchecked' : 'raw') : i % 4 === 0 ? 'check' : 'guard';
	return { text: `void f${i}(int a) { ${call}(a); use${i % 3}(a); }`, label };
});
const foldOf = Int32Array.from(rows, (_, i) => Math.floor(i / 4));
const model = fitNgram(rows);

describe('n-grams that a head sees', () => {
	it('score a training row by a fit that saw nothing of its fold', () => {
		const { stack, scores } = fitStack(model, rows, foldOf, never)!;
		const expected = rows.map((row, i) => {
			const others = rows.filter((_, other) => foldOf[other] !== foldOf[i]);
			return ngramLogOdds(fitNgram(others), [row.text])[0]!;
		});
		for (const [i, score] of scores.entries()) {
			expect(score * stack.deviation + stack.mean, `row ${i}`).toBeCloseTo(expected[i]!, 5);
		}
		// those of all rows know them, and would say so
		expect(ngramLogOdds(model, [rows[1]!.text])[0]).toBeGreaterThan(expected[1]! + 0.5);
	});

	it('are in units of what training rows have out of fold', () => {
		const { stack, scores } = fitStack(model, rows, foldOf, never)!;
		const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
		expect(mean).toBeCloseTo(0, 6);
		expect(scores.reduce((sum, score) => sum + score ** 2, 0) / scores.length).toBeCloseTo(1, 5);
		const [own] = stackedScores(stack, ['void g() { raw(1); }']);
		const [logOdds] = ngramLogOdds(model, ['void g() { raw(1); }']);
		expect(own).toBeCloseTo((logOdds! - stack.mean) / stack.deviation, 6);
	});

	it('take the C and the n-grams that were chosen for all rows', () => {
		const features = { shortest: 2, longest: 2, hashBits: 12 };
		const weak = fitNgram(rows, { features, inverseRegularization: 0.1 });
		const { stack, scores } = fitStack(weak, rows, foldOf, never)!;
		const others = rows.filter((_, other) => foldOf[other] !== 0);
		const expected = ngramLogOdds(fitNgram(others, { features, inverseRegularization: 0.1 }), [
			rows[0]!.text,
		]);
		expect(scores[0]! * stack.deviation + stack.mean).toBeCloseTo(expected[0]!, 5);
	});

	it('are refused where nothing but rounding tells rows apart', () => {
		const alike = Array.from(
			{ length: 42 },
			(_, i): TextRow => ({ text: 'void f() { g(1); }', label: i % 3 ? 0 : 1 }),
		);
		// one fit in every fold, but the mean of its scores is not quite that score
		const evenly = Int32Array.from(alike, (_, i) => Math.floor(i / 6));
		expect(() => fitStack(fitNgram(alike), alike, evenly, never)).toThrow(
			expect.objectContaining({ code: 'STACK_FOLDS' }),
		);
	});

	it('lean against the label where few large projects have shares of vulnerable rows of their own', () => {
		const features = { shortest: 2, longest: 2, hashBits: 10 };
		const meanArea = (projects: number, each: number) => {
			const areas = Array.from({ length: 10 }, (_, draw) => {
				const uniformOf = (of: number, row: number) => uniform(draw + 1, of, row);
				const noise = Array.from({ length: projects * each }, (__, row): TextRow => {
					const letters = Array.from(
						{ length: 6 },
						(___, i) => 'abcdefgh'[Math.floor(8 * uniformOf(5 + i, row))],
					);
					const share = 0.2 + 0.6 * uniformOf(2, Math.floor(row / each));
					return { text: letters.join(''), label: uniformOf(1, row) < share ? 1 : 0 };
				});
				const labels = noise.map(({ label }) => label);
				const projectOf = Int32Array.from(noise, (__, row) => Math.floor(row / each));
				const folds = assignGroups(projectOf, labels, [0.2, 0.2, 0.2, 0.2, 0.2], draw + 1);
				const all = fitNgram(noise, { features, inverseRegularization: 0.01 });
				const area = rocAuc(curveOf(labels, [...fitStack(all, noise, folds, never)!.scores]));
				return area.status === 'ok' ? area.value : Number.NaN;
			});
			return areas.reduce((sum, area) => sum + area, 0) / areas.length;
		};
		// the numbers of docs/decisions/022-stacked-head.md
		expect(meanArea(8, 30)).toBeCloseTo(0.43, 2);
		expect(meanArea(40, 6)).toBeCloseTo(0.5, 2);
	});

	it('are not fitted further where that is stopped, and refused where they tell no rows apart', () => {
		expect(fitStack(model, rows, foldOf, { stop: () => true })).toBeUndefined();
		const same = rows.map(({ label }) => ({ text: 'void f() {}', label }));
		// two of each class in every fold: the fits are the same too
		expect(() => fitStack(fitNgram(same), same, foldOf, never)).toThrow(
			expect.objectContaining({ code: 'STACK_FOLDS', kind: 'input' }),
		);
	});
});
