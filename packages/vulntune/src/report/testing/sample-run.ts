import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '@vulntune/engine';
import { fitBaselines } from '../../baselines/fit-baselines.ts';
import { resolveConfig } from '../../config/load.ts';
import { summarizeData } from '../../data/summary.ts';
import { baselineDetectors, formatBaselineScores } from '../../evaluation/baseline-detectors.ts';
import { compareWithBaselines } from '../../evaluation/compare-with-baselines.ts';
import { formatPredictions, type Prediction } from '../../evaluation/predictions.ts';
import { DESCRIPTION } from '../../methods/description.ts';
import type { Calibration } from '../../metrics/calibrate.ts';
import { writeDataRecord } from '../../run/data-record.ts';
import { runFolder } from '../../run/run-folder.ts';
import { writeRunHeader } from '../../run/run-header.ts';

export interface SampleRun {
	readonly model?: string;
	readonly dataset?: string;
	/** The name of the model's row in the comparison. */
	readonly name?: string;
	readonly ids?: (index: number) => string | number;
	/** Labels of the 40 test functions; by default every other is vulnerable. */
	readonly label?: (index: number) => 0 | 1;
	readonly threshold?: number | null;
	readonly weakness?: string;
	/** environment.json beyond what every run has. */
	readonly environment?: object;
	/** Tokens of the functions of every split in data.json; without them the run has none, as those of the first versions. */
	readonly lengths?: readonly number[];
	/** Whether the run wrote down what the baselines make of the test functions; runs of the first versions didn't. */
	readonly keepsBaselines?: boolean;
	readonly epochs?: number;
	/** `lora` unless given. */
	readonly method?: string;
	readonly head?: object;
	/** The maps that lie beside the adapter; none unless given, as with those of the first versions. */
	readonly calibration?: Calibration;
	/** ROC AUC of every epoch on validation; null where it has one class. */
	readonly validationArea?: number | null;
}

/** Test helper: the folder of a finished run, with made-up scores. */
export function writeSampleRun(root: string, sample: SampleRun = {}): string {
	const { ids = (index) => index, label = (index) => (index % 2) as 0 | 1, threshold = 0.5 } = sample;
	const { environment } = sample;
	const folder = runFolder(root);
	makeFolder(root);
	const value = {
		model: sample.model ?? 'models/base',
		data: { path: sample.dataset ?? 'data/rows' },
		method: { type: sample.method ?? 'lora' },
		...(sample.head === undefined ? {} : { head: sample.head }),
		output: root,
	};
	writeRunHeader(folder, resolveConfig(value, { place: 'test', folder: '/' }), {
		backend: 'reference',
		datasetHash: 'd',
		tokenizerHash: 't',
		fingerprint: 'f',
	});
	if (sample.lengths !== undefined) {
		const split = (label: (index: number) => 0 | 1) => ({
			rows: sample.lengths!.map((_, id) => ({ id, code: 'f', label: label(id) })),
			lengths: sample.lengths!,
		});
		const splits = { train: split(() => 1), valid: split(() => 0), test: split(label) };
		writeDataRecord(folder, summarizeData(splits, 512, { rows: 0, faults: [] }));
	}
	if (environment !== undefined) {
		const written = JSON.parse(readFileSync(folder.environment, 'utf8'));
		writeFileSync(folder.environment, JSON.stringify({ ...written, ...environment }));
	}
	const rows = Array.from({ length: 40 }, (_, index) => ({
		id: ids(index),
		label: label(index),
		// apart enough to be measured, not enough to be perfect
		probability: ((index * 7) % 20) / 20 + 0.04 * label(index),
		group: `commit ${index >> 1}`,
		weakness: sample.weakness ?? 'CWE-20',
		functionName: 'f',
		text: `void f${index}() { use(${label(index)}); }`,
	}));
	const training = Array.from({ length: 12 }, (_, index) => ({
		text: `int g${index}(int x) { return x + ${index % 2}; }`,
		label: (index % 2) as 0 | 1,
	}));
	const baselines = fitBaselines(training, training);
	const comparison = compareWithBaselines(rows, {
		name: sample.name ?? 'lora',
		threshold,
		baselines,
		resamples: 20,
	});
	writeFileSync(folder.comparison, JSON.stringify(comparison));
	if (sample.keepsBaselines !== false) {
		const texts = rows.map(({ text }) => text);
		const scores = formatBaselineScores(
			rows.map(({ id }) => id),
			baselineDetectors(texts, baselines),
		);
		writeFileSync(folder.baselines, scores);
	}
	const predictions: Prediction[] = rows.map(({ id, label, probability, group, weakness }) => {
		return { id, label, probability, commit: group, cwe: weakness };
	});
	for (const split of ['valid', 'test']) {
		writeFileSync(folder.predictions(split), formatPredictions(predictions));
	}
	if (sample.calibration !== undefined) {
		makeFolder(folder.adapter);
		const description = { format: 1, threshold, calibration: sample.calibration };
		writeFileSync(path.join(folder.adapter, DESCRIPTION), JSON.stringify(description));
	}
	const epochs = Array.from({ length: sample.epochs ?? 2 }, (_, index) => index + 1);
	const area = sample.validationArea === undefined ? 0.5 : sample.validationArea;
	const records = [
		...epochs.flatMap((epoch) => [
			{ type: 'step', step: epoch, epoch, loss: 1 / epoch, gradNorm: 1, learningRate: 1e-4, tokens: 100 },
			{
				type: 'epoch',
				epoch,
				validation: { loss: 0.5 / epoch, rocAuc: area, averagePrecision: 0.5, f1: 0.6, threshold },
			},
		]),
		{
			type: 'end',
			bestEpoch: 1,
			test: comparison.rows[0]!.evaluation,
			truncated: 3,
			training: { functions: 90, ignored: 7, truncated: 0, tokens: 4000 },
		},
	];
	writeFileSync(folder.metrics, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
	const timings = epochs.map((epoch) => ({ type: 'step', epoch, seconds: 2, residentBytes: 2 ** 30 }));
	writeFileSync(folder.timings, timings.map((timing) => `${JSON.stringify(timing)}\n`).join(''));
	return root;
}
