import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError, readSmallFile } from '@vulntune/engine';
import type { BaselineScores } from '../evaluation/baseline-detectors.ts';
import type { Comparison } from '../evaluation/compare-with-baselines.ts';
import { type Prediction, parsePredictions } from '../evaluation/predictions.ts';
import { readDescription } from '../methods/description.ts';
import type { DataRecord } from '../run/data-record.ts';
import type { EndRecord, TrainingRecord } from '../run/records.ts';
import { readRunConfig } from '../run/run-config.ts';
import { type RunFolder, runFolder } from '../run/run-folder.ts';
import { lastPart, type ReportData, type RunTimings, type StepPoint } from './report-data.ts';

/** Far above any run; what is larger is not a file of ours. */
const maxFileBytes = 2 ** 30;

const damaged = 'Train again: the file is not as a run wrote it.';

type MetricsRecord = TrainingRecord | EndRecord;

/**
 * Reads what a finished run left in its folder. `isSynthetic` says that its data were generated; so does `synthetic: true` in
 * environment.json.
 *
 * Throws `RUN_UNFINISHED` where a file of a finished run is missing, `RUN_FILE` where one is damaged.
 */
export function readRun(root: string, isSynthetic = false): ReportData {
	const folder = runFolder(root);
	requireFiles(folder);
	const config = readRunConfig(folder);
	const records = readLines<MetricsRecord>(folder.metrics);
	const end = records.findLast((record) => record.type === 'end');
	if (end === undefined) throw unfinished(root, 'metrics.jsonl has no line of type "end"');
	const environment = readJson<Record<string, unknown>>(folder.environment);
	const steps = records.filter((record) => record.type === 'step');
	const epochs = records.filter((record) => record.type === 'epoch');
	const test = readPredictions(folder.predictions('test'));
	const model = config.method.type === 'ngram' ? null : config.model;
	const base = model === null ? '' : ` on ${lastPart(model)}`;
	return {
		title: `${config.method.type}${base}, ${lastPart(config.data.path)}`,
		isSynthetic: isSynthetic || environment.synthetic === true,
		run: path.basename(path.resolve(root)),
		model,
		dataset: config.data.path,
		method: config.method.type,
		base: config.method.base,
		settings: config,
		config: readText(folder.config),
		environment,
		epochs: epochs.map(({ epoch, validation }) => ({ epoch, ...validation })),
		steps: steps.map(({ step, loss, tokens }) => ({ step, loss, tokens })),
		bestEpoch: end.bestEpoch,
		comparison: readJson<Comparison>(folder.comparison),
		truncated: end.truncated,
		training: end.training ?? null,
		data: readDataRecord(folder),
		validation: readPredictions(folder.predictions('valid')),
		test,
		calibration: readDescription(folder.adapter)?.calibration ?? null,
		baselines: readBaselines(folder.baselines, test),
		timings: readTimings(folder.timings, steps),
	};
}

function requireFiles(folder: RunFolder): void {
	const needed = [
		folder.config,
		folder.environment,
		folder.metrics,
		folder.comparison,
		folder.predictions('valid'),
		folder.predictions('test'),
	];
	const missing = needed.filter((file) => !existsSync(file)).map((file) => path.basename(file));
	if (missing.length > 0) throw unfinished(folder.root, `missing: ${missing.join(', ')}`);
}

function unfinished(root: string, what: string): Error {
	return inputError('RUN_UNFINISHED', `a report needs a finished run (${what})`, {
		place: root,
		remedy: 'Finish it with vulntune train … --resume.',
	});
}

function readText(file: string): string {
	return new TextDecoder().decode(readSmallFile(file, maxFileBytes));
}

function readPredictions(file: string): Prediction[] {
	return parsePredictions(readText(file), file);
}

/** What the splits of a run hold; null where it didn't write it down. Throws RUN_FILE. */
export function readDataRecord({ data }: Pick<RunFolder, 'data'>): DataRecord | null {
	if (!existsSync(data)) return null;
	const record = readJson<Partial<DataRecord> | null>(data);
	if (record?.splits?.valid !== undefined) return record as DataRecord;
	throw inputError('RUN_FILE', 'it does not say what validation holds', { place: data, remedy: damaged });
}

/** What the baselines make of a run's test functions; null for runs of the first versions. Throws RUN_FILE. */
export function readBaselines(file: string, test: readonly Prediction[]): readonly BaselineScores[] | null {
	if (!existsSync(file)) return null;
	const baselines = readLines<BaselineScores>(file);
	const fits = baselines.length === test.length && baselines.every(({ id }, row) => id === test[row]!.id);
	if (fits) return baselines;
	throw inputError('RUN_FILE', 'its functions are not those of predictions.test.jsonl', {
		place: file,
		remedy: damaged,
	});
}

function readJson<Value>(file: string): Value {
	return parseJson(readText(file), file);
}

function readLines<Record>(file: string): Record[] {
	return readText(file)
		.split('\n')
		.flatMap((line, index) => (line === '' ? [] : [parseJson<Record>(line, `${file}:${index + 1}`)]));
}

function parseJson<Value>(text: string, place: string): Value {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw inputError('RUN_FILE', `broken JSON: ${(cause as Error).message}`, {
			place,
			remedy: damaged,
			cause,
		});
	}
}

/** One line of timings.jsonl. */
interface Timing {
	readonly type: string;
	readonly seconds: number;
	readonly residentBytes: number;
	readonly deviceBytes?: number;
}

function readTimings(file: string, steps: readonly StepPoint[]): RunTimings | null {
	const timings = existsSync(file) ? readLines<Timing>(file) : [];
	if (timings.length === 0) return null;
	const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
	const training = sum(timings.filter(({ type }) => type === 'step').map(({ seconds }) => seconds));
	return {
		seconds: sum(timings.filter(({ type }) => type !== 'start').map(({ seconds }) => seconds)),
		tokensPerSecond: training > 0 ? sum(steps.map(({ tokens }) => tokens)) / training : null,
		peakResidentBytes: Math.max(...timings.map(({ residentBytes }) => residentBytes)),
		peakDeviceBytes: Math.max(0, ...timings.map(({ deviceBytes = 0 }) => deviceBytes)),
	};
}
