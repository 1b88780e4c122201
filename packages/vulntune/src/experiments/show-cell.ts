import path from 'node:path';
import type { Difference } from '../evaluation/verdict.ts';
import { formatBytes, formatDuration } from '../terminal/format.ts';
import { textTable } from '../terminal/text-table.ts';
import { describeDifference } from './compare-cells.ts';
import { findCell } from './ledger/cells.ts';
import type { Ledger } from './ledger/open-ledger.ts';
import {
	asMetric,
	readDifferences,
	readEpochs,
	readMetrics,
	type StoredEpoch,
	type StoredMetric,
} from './ledger/results.ts';
import { withInterval } from './study-text.ts';

/** What `vulntune experiment show --json` prints: all that the ledger holds of a cell. */
export interface CellReport {
	readonly schema: 'vulntune.cell/1';
	/** null, as its position, where no grid has the cell any more. */
	readonly grid: string | null;
	readonly position: number | null;
	readonly name: string;
	readonly settings: Readonly<Record<string, unknown>>;
	readonly status: string;
	readonly run: string;
	readonly folder: string;
	readonly attempts: number;
	readonly error: { readonly code: string; readonly message: string } | null;
	readonly seconds: number | null;
	readonly peakBytes: number | null;
	readonly bestEpoch: number | null;
	readonly verdict: string | null;
	/** By detector (`model`, or a baseline), then by metric. */
	readonly metrics: Readonly<Record<string, Readonly<Record<string, StoredMetric>>>>;
	/** Model minus each baseline: ROC AUC on the same test functions. */
	readonly differences: Readonly<Record<string, Difference>>;
	readonly epochs: readonly StoredEpoch[];
	/** YAML. */
	readonly config: string;
	readonly environment: unknown;
}

export function readCell(ledger: Ledger, word: string): CellReport {
	const cell = findCell(ledger, word);
	const { grid, position, name, settings, status, runId, attempts, errorCode, errorMessage } = cell;
	const metrics = readMetrics(ledger, runId);
	return {
		schema: 'vulntune.cell/1',
		...{ grid, position, name, settings, status, attempts },
		run: runId,
		folder: path.resolve(ledger.folder, cell.folder),
		error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
		seconds: cell.seconds,
		peakBytes: cell.peakBytes,
		bestEpoch: cell.bestEpoch,
		verdict: cell.verdict,
		metrics: Object.fromEntries([...metrics].map(([detector, own]) => [detector, Object.fromEntries(own)])),
		differences: Object.fromEntries(readDifferences(ledger, runId, 'rocAuc')),
		epochs: readEpochs(ledger, runId),
		config: cell.config,
		environment: cell.environment === null ? null : JSON.parse(cell.environment),
	};
}

/** The metrics that stand in the table for people, and which way is better; `--json` has all. */
const shown: Readonly<Record<string, string>> = {
	rocAuc: 'ROC AUC ↑',
	averagePrecision: 'average precision ↑',
	f1: 'F1 ↑',
	precision: 'precision ↑',
	recall: 'recall ↑',
	mcc: 'MCC ↑',
	brier: 'Brier score ↓',
	ece: 'calibration error ↓',
	vdS: 'VD-S ↓',
};

export function renderCell(cell: CellReport): string {
	const detectors = Object.keys(cell.metrics);
	const value = (metric: StoredMetric | undefined, detector: string) => {
		if (metric === undefined || metric.value === null) return 'undefined';
		return detector === 'model' ? withInterval(asMetric(metric)) : metric.value.toFixed(3);
	};
	const table =
		detectors.length === 0
			? []
			: [
					'',
					textTable([
						['on the test split', ...detectors],
						...Object.entries(shown).map(([metric, label]) => [
							label,
							...detectors.map((own) => value(cell.metrics[own]![metric], own)),
						]),
					]),
					'',
					...Object.entries(cell.differences).map(
						([baseline, difference]) =>
							`ROC AUC of the model minus ${baseline}: ${describeDifference(difference)} (DeLong, paired)`,
					),
				];
	const took = [
		...(cell.seconds === null ? [] : [`${formatDuration(cell.seconds)} of training and validation`]),
		...(cell.peakBytes === null ? [] : [`${formatBytes(cell.peakBytes)} of memory at most`]),
		...(cell.bestEpoch === null ? [] : [`epoch ${cell.bestEpoch} of ${cell.epochs.length} was kept`]),
	];
	return [
		cell.grid === null ? `${cell.name}, in no grid any more` : `${cell.grid}:${cell.position}  ${cell.name}`,
		`${cell.status}, run ${cell.run.slice(0, 16)} in ${cell.folder}`,
		...(took.length === 0 ? [] : [`${took.join(', ')}.`]),
		...(cell.error === null ? [] : [cell.error.message]),
		...(cell.verdict === null ? [] : [cell.verdict]),
		...table,
		'',
		cell.config.trimEnd(),
	].join('\n');
}
