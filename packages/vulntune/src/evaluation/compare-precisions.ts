import { existsSync, readFileSync } from 'node:fs';
import type { Precision } from '@vulntune/engine';
import type { FunctionRow } from '../data/row.ts';
import { pairedDelong } from '../metrics/delong.ts';
import { aucDifference } from './compare-with-baselines.ts';
import { parsePredictions } from './predictions.ts';
import type { Difference } from './verdict.ts';

/** What another arithmetic than a run's own makes of its scores. */
export interface PrecisionChange {
	readonly precision: Precision;
	readonly own: Precision;
	/** Whether the scores in the run's own are those that it keeps, or were computed again. */
	readonly ownScores: 'stored' | 'computed';
	/** null with one class only. */
	readonly rocAuc: number | null;
	readonly ownRocAuc: number | null;
	/** ROC AUC minus that in the run's own, with DeLong's interval. */
	readonly difference: Difference;
	/** The largest change of a function's probability. */
	readonly largestShift: number;
}

interface PrecisionScores {
	readonly precision: Precision;
	readonly scores: readonly number[]; // [rows]
}

/** @param labels [rows] */
export function comparePrecisions(
	labels: readonly (0 | 1)[],
	used: PrecisionScores,
	own: PrecisionScores & { readonly stored: boolean },
): PrecisionChange {
	const compared = pairedDelong(labels, used.scores, own.scores);
	const [rocAuc, ownRocAuc] = 'test' in compared ? [compared.aucA, compared.aucB] : [null, null];
	return {
		precision: used.precision,
		own: own.precision,
		ownScores: own.stored ? 'stored' : 'computed',
		rocAuc,
		ownRocAuc,
		difference: aucDifference(labels, used, own),
		largestShift: used.scores.reduce((most, score, i) => Math.max(most, Math.abs(score - own.scores[i]!)), 0),
	};
}

/** The probabilities in a run's predictions file; undefined where there is none or it is of other functions. */
export function storedScores(file: string, rows: readonly FunctionRow[]): number[] | undefined {
	if (!existsSync(file)) return undefined;
	const predictions = parsePredictions(readFileSync(file, 'utf8'), file);
	if (predictions.length !== rows.length) return undefined;
	const scores: number[] = [];
	for (const [i, { id, label, probability }] of predictions.entries()) {
		if (id !== rows[i]!.id || label !== rows[i]!.label || probability === null) return undefined;
		scores.push(probability);
	}
	return scores;
}

/** The change in a sentence or two. */
export function renderPrecisionChange(change: PrecisionChange): string {
	const { precision, own, ownScores, difference, largestShift } = change;
	const beside = `its own ${own} (${ownScores === 'stored' ? 'the predictions that it keeps' : 'scored again'})`;
	const shift = `A probability changes by ${largestShift.toFixed(4)} at most.`;
	if (difference.value === null) {
		return `Scored in ${precision} instead of ${beside}: no ROC AUC, because ${difference.reason}. ${shift}`;
	}
	const interval = difference.low === null ? '' : ` [${signed(difference.low)}, ${signed(difference.high)}]`;
	return (
		`Scored in ${precision} instead of ${beside}: ROC AUC ${change.rocAuc!.toFixed(4)} against ` +
		`${change.ownRocAuc!.toFixed(4)}, a change of ${signed(difference.value)}${interval}. ${shift}`
	);
}

function signed(value: number): string {
	return (value < 0 ? '' : '+') + value.toFixed(4);
}
