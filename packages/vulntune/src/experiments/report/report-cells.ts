import { existsSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import type { Config } from '../../config/schema.ts';
import type { Prediction } from '../../evaluation/predictions.ts';
import type { Difference } from '../../evaluation/verdict.ts';
import { holm } from '../../metrics/holm.ts';
import { readBaselines, readDataRecord } from '../../report/read-run.ts';
import { runFolder } from '../../run/run-folder.ts';
import { testPredictions } from '../compare-cells.ts';
import { type LedgerCell, readCells } from '../ledger/cells.ts';
import type { Ledger } from '../ledger/open-ledger.ts';
import {
	readDifferences,
	readEpochs,
	readMetrics,
	type StoredEpoch,
	type StoredMetric,
} from '../ledger/results.ts';
import { readStudy, type Study, type StudyCell } from '../read-study.ts';
import { asksWhatPaperAsks, describeBesidePaper } from './paper-settings.ts';
import { type PaperRow, paperRowOf } from './paper-table.ts';
import { turnedLength } from './turned-length.ts';

/** A detector's ROC AUC on the test split. */
export interface BaselineArea {
	readonly name: string;
	readonly rocAuc: StoredMetric;
}

/** A finished cell with all that the report shows of it. */
export interface ReportCell {
	readonly cell: StudyCell;
	/** Grids that have this run. */
	readonly grids: readonly string[];
	/** Names of the options that these grids set in it, by `overrides` and rungs too: all in which it can differ from their other cells. */
	readonly written: readonly string[];
	/** As its run resolved it. */
	readonly config: Config;
	readonly rocAuc: StoredMetric;
	readonly f1: StoredMetric;
	/** The F1 at the best threshold for the test labels themselves, as the paper has it. */
	readonly f1Oracle: StoredMetric;
	/** Test functions that are vulnerable, over all of them. */
	readonly positives: number;
	readonly functions: number;
	readonly baselines: readonly BaselineArea[];
	/** The best of the baselines; undefined where none has a ROC AUC. */
	readonly best: BaselineArea | undefined;
	/** Cell minus the best baseline. */
	readonly difference: Difference | undefined;
	/** p of the difference, corrected by Holm over all cells; null where it is undefined. */
	readonly correctedP: number | null;
	readonly epochs: readonly StoredEpoch[];
	readonly predictions: readonly Prediction[];
	/** Machine and backend. */
	readonly hardware: string;
	/** What validation holds; undefined where the run's folder is gone or doesn't say. */
	readonly validation: { readonly functions: number; readonly vulnerable: number } | undefined;
	/** The length's ROC AUC as the run has it, where the report reads it the other way round. */
	readonly lengthBefore: number | undefined;
	/** Its data were generated. */
	readonly isSynthetic: boolean;
	/** Names the test rows and their labels: equal for cells that can be compared. */
	readonly data: string;
	readonly dataName: string;
	readonly paperRow: PaperRow | undefined;
	/** What tells it from a row of the paper: base, epochs, sample, other settings. */
	readonly besidePaper: string;
}

export interface StudyReport {
	readonly study: Study;
	readonly cells: readonly ReportCell[];
	readonly isSynthetic: boolean;
}

/** Everything that the report of a study shows. Runs whose folder is gone are told by their numbers alone. */
export async function readReport(ledger: Ledger): Promise<StudyReport> {
	const study = readStudy(ledger);
	const cells: ReportCell[] = [];
	const shown = new Set<string>();
	const all = readCells(ledger);
	for (const [i, own] of all.entries()) {
		// a run that several grids have is shown once
		if (own.status !== 'finished' || shown.has(own.runId)) continue;
		shown.add(own.runId);
		const same = all.filter(({ runId }) => runId === own.runId);
		const grids = same.map(({ grid }) => grid);
		const written = same.flatMap(({ settings }) => Object.keys(settings));
		const { columns } = study.grids.find(({ name }) => name === own.grid)!;
		cells.push({ ...(await reportCell(ledger, own, study.cells[i]!, columns)), grids, written });
	}
	const corrected = holm(cells.map(({ difference }) => (difference?.value == null ? null : difference.p)));
	const isSynthetic = cells.some((cell) => cell.isSynthetic);
	return { study, isSynthetic, cells: cells.map((cell, i) => ({ ...cell, correctedP: corrected[i]! })) };
}

/** What only a run's folder has: nothing where it is gone, the numbers are in the ledger. */
async function folderOf(ledger: Ledger, cell: LedgerCell, length: StoredMetric) {
	const folder = runFolder(path.resolve(ledger.folder, cell.folder));
	if (!existsSync(folder.root)) return { predictions: [], validation: undefined, turned: undefined };
	const predictions = await testPredictions(ledger, cell);
	return {
		predictions,
		validation: readDataRecord(folder)?.splits.valid,
		turned: turnedLength(length, predictions, readBaselines(folder.baselines, predictions)),
	};
}

const absent: StoredMetric = { value: null, low: null, high: null, reason: 'not in the ledger' };

async function reportCell(
	ledger: Ledger,
	own: LedgerCell,
	cell: StudyCell,
	columns: readonly string[],
): Promise<Omit<ReportCell, 'grids' | 'written'>> {
	const metrics = readMetrics(ledger, own.runId);
	const of = (detector: string, metric: string) => metrics.get(detector)?.get(metric) ?? absent;
	const differences = readDifferences(ledger, own.runId, 'rocAuc');
	const { predictions, validation, turned } = await folderOf(ledger, own, of('length', 'rocAuc'));
	if (turned !== undefined) differences.set('length', turned.difference);
	const baselines = [...metrics.keys()]
		.filter((detector) => detector !== 'model')
		.map((name) => ({ name, rocAuc: (name === 'length' && turned?.rocAuc) || of(name, 'rocAuc') }));
	const best = baselines
		.filter(({ rocAuc }) => rocAuc.value !== null)
		.toSorted((a, b) => b.rocAuc.value! - a.rocAuc.value!)[0];
	const config = parse(own.config) as Config;
	const [functions, positives] = [
		of('model', 'counts.functions').value ?? 0,
		of('model', 'counts.positives').value ?? 0,
	];
	const { type: method } = config.method;
	const { length, largeFunctions } = config.sequence;
	const environment = JSON.parse(own.environment ?? '{}') as {
		readonly cpu?: string;
		readonly backend?: string;
		readonly synthetic?: boolean;
	};
	return {
		...{ cell, config },
		rocAuc: of('model', 'rocAuc'),
		f1: of('model', 'f1'),
		f1Oracle: of('model', 'f1_oracle'),
		...{ functions, positives, baselines, best },
		difference: best === undefined ? undefined : differences.get(best.name),
		correctedP: null,
		epochs: readEpochs(ledger, own.runId),
		...{ predictions, validation, lengthBefore: turned?.before },
		hardware: [environment.cpu, environment.backend].filter((part) => part !== undefined).join(', '),
		isSynthetic: environment.synthetic === true,
		data: `${own.datasetHash} ${functions} ${positives}`,
		dataName: config.data.path,
		paperRow: asksWhatPaperAsks(config, columns)
			? paperRowOf({ method, length, largeFunctions, functions, positives })
			: undefined,
		besidePaper: describeBesidePaper(config),
	};
}
