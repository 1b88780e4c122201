import type { Config } from '../config/schema.ts';
import type { BaselineScores } from '../evaluation/baseline-detectors.ts';
import type { Comparison } from '../evaluation/compare-with-baselines.ts';
import type { Prediction } from '../evaluation/predictions.ts';
import type { Calibration } from '../metrics/calibrate.ts';
import type { DataRecord } from '../run/data-record.ts';
import type { EpochMetrics, TrainingFunctions } from '../run/records.ts';

/** Everything that a report and a model card show. Plain data. */
export interface ReportData {
	/** `qlora on smollm2-135m, x1-without-p3` */
	readonly title: string;
	/** The data were generated: said wherever a number is shown. */
	readonly isSynthetic: boolean;
	/** The run's folder by its last name. */
	readonly run: string;
	/** The base model as the config names it; null for a method that has none. */
	readonly model: string | null;
	/** The dataset as the config names it. */
	readonly dataset: string;
	readonly method: string;
	/** How the base model was held. */
	readonly base: string;
	readonly settings: Config;
	/** The config as it was resolved, YAML. */
	readonly config: string;
	/** environment.json. */
	readonly environment: Readonly<Record<string, unknown>>;
	readonly epochs: readonly ({ readonly epoch: number } & EpochMetrics)[];
	readonly steps: readonly StepPoint[];
	/** The epoch whose adapter was kept. */
	readonly bestEpoch: number;
	/** The model beside the baselines on the test split. */
	readonly comparison: Comparison;
	/** Test functions that were cut to the length of a sequence. */
	readonly truncated: number;
	/** What became of the training functions; null where the run didn't write it down. */
	readonly training: TrainingFunctions | null;
	/** What the splits hold; null where the run didn't write it down. */
	readonly data: DataRecord | null;
	readonly validation: readonly Prediction[];
	readonly test: readonly Prediction[];
	/** The maps that validation fitted and that lie beside the adapter; null where none does. */
	readonly calibration: Calibration | null;
	/** What the baselines make of the test functions, in the same order; null where the run didn't write it down. */
	readonly baselines: readonly BaselineScores[] | null;
	/** null where the run measured none. */
	readonly timings: RunTimings | null;
}

export interface StepPoint {
	readonly step: number;
	readonly loss: number;
	readonly tokens: number;
}

export interface RunTimings {
	/** Of training and validation. */
	readonly seconds: number;
	/** While training. */
	readonly tokensPerSecond: number | null;
	readonly peakResidentBytes: number;
	/** Of the card; 0 where none computed. */
	readonly peakDeviceBytes: number;
}

/** What validation chose, and by what: an epoch, or the strength of the n-gram model's penalty. */
export function choice({ method, epochs, bestEpoch }: ReportData): string {
	const hasArea = epochs.every(({ rocAuc }) => rocAuc !== null);
	const oneClass = 'its functions are of one class, which leaves the ROC AUC undefined';
	if (method === 'ngram') {
		return hasArea
			? 'the strength of the penalty was chosen by validation ROC AUC'
			: `validation could not choose the strength of the penalty (${oneClass})`;
	}
	if (epochs.length <= 1) return '';
	const by = hasArea ? 'ROC AUC' : `loss (${oneClass})`;
	return `epoch ${bestEpoch} was kept, chosen by validation ${by}`;
}

/** How many training functions were not learned from, or not whole; empty where all were, or nobody counted. */
export function leftOut({ training }: ReportData): string {
	if (training === null) return '';
	const { functions, ignored, truncated } = training;
	return [
		...(ignored > 0 ? [`${ignored} of ${functions} training functions were left out as too long`] : []),
		...(truncated > 0 ? [`${truncated} of ${functions} training functions were cut to a sequence`] : []),
	].join(', ');
}

/** The name of a folder, an archive or a hub model without what leads to it. */
export function lastPart(location: string): string {
	const part = location.split(/[\\/]/).findLast((name) => name !== '') ?? location;
	return part.replace(/\.tar\.gz$/, '');
}
