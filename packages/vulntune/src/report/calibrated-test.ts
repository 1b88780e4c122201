import { groupsOf } from '../evaluation/groups.ts';
import { groupRows } from '../metrics/bootstrap.ts';
import { type Calibration, describeTemperatureBound } from '../metrics/calibrate.ts';
import {
	type CalibratedMetrics,
	type CalibrationMetrics,
	calibrationEffect,
} from '../metrics/calibration-effect.ts';
import type { ReportData } from './report-data.ts';
import { scoredFunctions } from './scored-functions.ts';

/** A row of the table of calibration: the probabilities as they come, or behind a map. */
export interface CalibrationRow extends CalibrationMetrics {
	readonly name: string;
	/** Against the probabilities as they come; absent in their own row. */
	readonly change?: CalibratedMetrics['change'];
}

/** What the maps beside the adapter, fitted on validation, make of the test split. */
export interface CalibratedTest {
	readonly rows: readonly CalibrationRow[];
	/** [rows] each, of the functions that were scored. */
	readonly labels: readonly number[];
	readonly temperature: readonly number[];
	readonly isotonic: readonly number[];
	/** In a sentence or two: whether the maps help. */
	readonly verdict: string;
}

/** undefined where no map lies beside what was trained, or no function was scored. */
export function calibratedTest({ calibration, test, comparison }: ReportData): CalibratedTest | undefined {
	const { labels, probabilities, commits } = scoredFunctions(test);
	if (calibration === null || labels.length === 0) return undefined;
	const { resamples, seed } = comparison.rows[0]!.evaluation.bootstrap;
	// as the table of all metrics resamples
	const groups = groupRows(groupsOf(commits).groups);
	const { before, after } = calibrationEffect(labels, probabilities, calibration, {
		groups,
		seed,
		resamples,
	});
	const atBound = describeTemperatureBound(calibration.temperature.value);
	return {
		rows: [
			{ name: 'as they come', ...before },
			{ name: temperatureName(calibration), ...after.temperature },
			{ name: `isotonic map of ${calibration.isotonic.x.length} points`, ...after.isotonic },
		],
		labels,
		temperature: after.temperature.probabilities,
		isotonic: after.isotonic.probabilities,
		verdict: [
			sentence('temperature', after.temperature.change),
			sentence('isotonic map', after.isotonic.change),
			...(atBound === undefined ? [] : [atBound]),
		].join(' '),
	};
}

function temperatureName({ temperature: { value } }: Calibration): string {
	const bound = describeTemperatureBound(value) === undefined ? '' : ', its bound';
	return `temperature ${value.toPrecision(3)}${bound}`;
}

function sentence(map: string, change: CalibratedMetrics['change']): string {
	if (change.value === null || change.low === null) {
		return `Whether the ${map} lowers the calibration error can't be told.`;
	}
	if (change.high < 0) return `The ${map} lowers the calibration error.`;
	if (change.low > 0) return `The ${map} raises the calibration error.`;
	return `The ${map} changes the calibration error by no difference that these data can show.`;
}
