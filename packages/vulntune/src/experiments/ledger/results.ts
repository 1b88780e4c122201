import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { inputError } from '@vulntune/engine/errors.ts';
import type { Difference } from '../../evaluation/verdict.ts';
import type { Metric } from '../../metrics/evaluation.ts';
import { readRun } from '../../report/read-run.ts';
import type { ReportData } from '../../report/report-data.ts';
import { runFolder } from '../../run/run-folder.ts';
import { ownHolder } from '../../run/run-lock.ts';
import { flattenEvaluation } from './flat-metrics.ts';
import { type Ledger, transaction } from './open-ledger.ts';

/**
 * Writes down what a finished run left in its folder, and that it lies there: once, by the process that holds it.
 *
 * @returns whether it was this process's to finish
 * @throws VulntuneError RUN_UNFINISHED, RUN_FILE, RUN_OTHER
 */
export function recordResult(ledger: Ledger, run: string, folder: string): boolean {
	const data = readRun(folder);
	return transaction(ledger.database, () => {
		requireOwnInputs(ledger, run, folder, data);
		const isOwn = finish(ledger, run, folder, data);
		if (isOwn) insertResults(ledger, run, folder, data);
		return isOwn;
	});
}

/** Numbers of other data, another base or other settings are never this run's. Throws RUN_OTHER. */
function requireOwnInputs(
	{ database }: Ledger,
	run: string,
	folder: string,
	{ environment }: ReportData,
): void {
	const { dataset, base } = database
		.prepare('SELECT dataset_hash AS dataset, base_fingerprint AS base FROM runs WHERE id = ?')
		.get(run) as { dataset: string | null; base: string | null };
	const { datasetHash, base: madeOn = null, fingerprint } = environment;
	// n-grams name none
	const isOther = typeof fingerprint === 'string' && fingerprint !== '' && fingerprint !== run;
	const different = [
		...(datasetHash === dataset ? [] : ['dataset']),
		...(isDeepStrictEqual(madeOn, base === null ? null : JSON.parse(base)) ? [] : ['base']),
	];
	if (different.length === 0 && isOther) different.push('configuration');
	if (different.length === 0) return;
	throw inputError('RUN_OTHER', `the run in this folder was made with another ${different.join(' and ')}`, {
		place: folder,
		remedy:
			'Move the folder away, leave data and base as they are while cells run, and call the command again.',
	});
}

function finish(ledger: Ledger, run: string, folder: string, data: ReportData): boolean {
	const inside = path.relative(ledger.folder, folder);
	const isInside = !inside.startsWith('..') && !path.isAbsolute(inside);
	const { changes } = ledger.database
		.prepare(
			`UPDATE runs SET status = 'finished', holder = NULL, heartbeat = NULL, folder = ?, environment = ?, best_epoch = ?,
			verdict = ?, seconds = ?, peak_bytes = ? WHERE id = ? AND status = 'running' AND holder = ?`,
		)
		.run(
			isInside ? inside : path.resolve(folder),
			JSON.stringify(data.environment),
			data.bestEpoch,
			data.comparison.verdict,
			data.timings?.seconds ?? null,
			data.timings?.peakResidentBytes ?? null,
			run,
			JSON.stringify(ownHolder()),
		);
	return changes === 1;
}

function insertResults({ database }: Ledger, run: string, folder: string, data: ReportData): void {
	const metric = database.prepare('INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
	const difference = database.prepare('INSERT OR REPLACE INTO differences VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
	for (const { name, kind, evaluation, against } of data.comparison.rows) {
		const detector = kind === 'model' ? 'model' : name;
		for (const { metric: own, value, low, high, reason } of flattenEvaluation(evaluation)) {
			metric.run(run, 'test', detector, own, value, low, high, reason);
		}
		for (const [own, found] of Object.entries(against ?? {})) {
			const { value, low, high, p, reason } = { ...undefinedDifference, ...found };
			difference.run(run, name, own, value, low, high, p, reason);
		}
	}
	const epoch = database.prepare('INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?)');
	for (const { epoch: number, loss, rocAuc, averagePrecision, f1, threshold } of data.epochs) {
		epoch.run(run, number, loss, rocAuc, averagePrecision, f1, threshold);
	}
	const predictions = database.prepare('INSERT OR REPLACE INTO predictions VALUES (?, ?, ?)');
	for (const split of ['valid', 'test']) {
		const file = runFolder(folder).predictions(split);
		if (existsSync(file)) predictions.run(run, split, path.basename(file));
	}
}

const undefinedDifference = { low: null, high: null, p: null, reason: null };

/** A number of the ledger with its interval; null where it is undefined. */
export interface StoredMetric {
	readonly value: number | null;
	readonly low: number | null;
	readonly high: number | null;
	readonly reason: string | null;
}

/** A stored number as evaluations have them. */
export function asMetric({ value, low, high, reason: why }: StoredMetric): Metric {
	const reason = why ?? '';
	if (value === null) return { value, reason };
	return low === null || high === null ? { value, low: null, high: null, reason } : { value, low, high };
}

/** All numbers of a run on the test split: by detector (`model`, or a baseline), then by metric. */
export function readMetrics({ database }: Ledger, run: string): Map<string, Map<string, StoredMetric>> {
	const rows = database
		.prepare('SELECT detector, metric, value, low, high, reason FROM metrics WHERE run = ? ORDER BY rowid')
		.all(run) as unknown as (StoredMetric & { readonly detector: string; readonly metric: string })[];
	const detectors = new Map<string, Map<string, StoredMetric>>();
	for (const { detector, metric, value, low, high, reason } of rows) {
		const metrics = detectors.get(detector) ?? new Map<string, StoredMetric>();
		detectors.set(detector, metrics.set(metric, { value, low, high, reason }));
	}
	return detectors;
}

/** Model minus each baseline, by baseline. */
export function readDifferences({ database }: Ledger, run: string, metric: string): Map<string, Difference> {
	const rows = database
		.prepare('SELECT baseline, value, low, high, p, reason FROM differences WHERE run = ? AND metric = ?')
		.all(run, metric);
	return new Map(rows.map(({ baseline, ...difference }) => [baseline as string, difference as Difference]));
}

/** Validation, epoch by epoch. */
export interface StoredEpoch {
	readonly epoch: number;
	readonly loss: number;
	readonly rocAuc: number | null;
	readonly f1: number | null;
}

export function readEpochs({ database }: Ledger, run: string): StoredEpoch[] {
	return database
		.prepare('SELECT epoch, loss, roc_auc AS rocAuc, f1 FROM epochs WHERE run = ? ORDER BY epoch')
		.all(run) as unknown as StoredEpoch[];
}
