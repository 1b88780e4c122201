import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine/errors.ts';
import { parse } from 'yaml';
import type { Config } from '../config/schema.ts';
import { aucDifference, f1Difference } from '../evaluation/compare-with-baselines.ts';
import { type GroupedBy, groupNames, groupsOf } from '../evaluation/groups.ts';
import { type Prediction, readPredictions } from '../evaluation/predictions.ts';
import type { Difference } from '../evaluation/verdict.ts';
import { defaultResamples, groupRows } from '../metrics/bootstrap.ts';
import { runFolder } from '../run/run-folder.ts';
import { type FoundCell, findCell } from './ledger/cells.ts';
import type { Ledger } from './ledger/open-ledger.ts';

/** What `vulntune experiment compare --json` prints: cell A minus cell B on the same test functions. */
export interface CellComparison {
	readonly schema: 'vulntune.cellComparison/1';
	readonly a: { readonly cell: string; readonly run: string };
	readonly b: { readonly cell: string; readonly run: string };
	/** Test functions that both have scored. */
	readonly functions: number;
	/** Paired DeLong. */
	readonly rocAuc: Difference;
	/** What the bootstrap of F1 draws together. */
	readonly groupedBy: GroupedBy;
	/** Paired bootstrap over these, each at its own threshold from validation. */
	readonly f1: Difference;
}

/**
 * Paired tests between two cells of a ledger.
 *
 * @throws VulntuneError CELL_UNKNOWN, CELL_UNFINISHED, CELLS_DIFFER where they were not measured on the same functions: other data may
 * have other code under the same id and label
 */
export async function compareCells(ledger: Ledger, a: string, b: string): Promise<CellComparison> {
	const [first, second] = [findCell(ledger, a), findCell(ledger, b)];
	const own = await testPredictions(ledger, first);
	const others = await testPredictions(ledger, second);
	requireSameData(first, second);
	const other = alignedWith(own, others, [first.name, second.name]);
	const both = own.flatMap((prediction, i) =>
		prediction.probability === null || other[i]!.probability === null ? [] : [i],
	);
	const labels = both.map((i) => own[i]!.label);
	const detectorOf = (predictions: readonly Prediction[], name: string) => ({
		name,
		scores: both.map((i) => predictions[i]!.probability!),
		threshold: both.map((i) => predictions[i]!.threshold)[0] ?? null,
	});
	const detectors = [detectorOf(own, first.name), detectorOf(other, second.name)] as const;
	const { groups, groupedBy } = groupsOf(both.map((i) => own[i]!.commit));
	return {
		schema: 'vulntune.cellComparison/1',
		a: { cell: first.name, run: first.runId },
		b: { cell: second.name, run: second.runId },
		functions: both.length,
		groupedBy,
		rocAuc: aucDifference(labels, ...detectors),
		f1: f1Difference(labels, ...detectors, groupRows(groups), 1, defaultResamples),
	};
}

/** What a finished cell made of the test functions. Throws CELL_UNFINISHED, RUN_FILE where its folder or the file was removed. */
export async function testPredictions(ledger: Ledger, cell: FoundCell): Promise<Prediction[]> {
	if (cell.status !== 'finished') {
		throw inputError('CELL_UNFINISHED', `the cell ${cell.name} is ${cell.status}`, {
			remedy: 'Finish it with vulntune experiment run GRID.yaml --output DIR.',
		});
	}
	const { root, ...folder } = runFolder(path.resolve(ledger.folder, cell.folder));
	const file = folder.predictions('test');
	if (existsSync(file)) return readPredictions(file);
	const isGone = !existsSync(root);
	const what = isGone ? 'the run folder' : 'the predictions file';
	throw inputError('RUN_FILE', `${what} of the cell ${cell.name} is not there any more`, {
		place: isGone ? root : file,
		remedy:
			'Put it back where it was. vulntune experiment show tells what the ledger keeps of it; to compare its functions, compute the cell anew (vulntune experiment run GRID.yaml with another --output and the same settings), and give the files of both to vulntune evaluate --predictions A --against B.',
	});
}

function requireSameData(first: FoundCell, second: FoundCell): void {
	if (first.datasetHash === second.datasetHash) return;
	const dataOf = ({ name, config, datasetHash }: FoundCell) =>
		`${name} on ${(parse(config) as Config).data.path} (${datasetHash?.slice(0, 12)})`;
	throw inputError(
		'CELLS_DIFFER',
		`the cells were not measured on the same data: ${dataOf(first)}, ${dataOf(second)}`,
		{
			remedy:
				'Compare cells of one dataset. Where only the training rows differ, compare their files: vulntune evaluate --predictions A/predictions.test.jsonl --against B/predictions.test.jsonl.',
		},
	);
}

function alignedWith(
	own: readonly Prediction[],
	other: readonly Prediction[],
	names: readonly [string, string],
): readonly Prediction[] {
	const byId = new Map(other.map((prediction) => [String(prediction.id), prediction]));
	const aligned = own.map(({ id }) => byId.get(String(id)));
	const isSame = aligned.every((prediction, i) => prediction?.label === own[i]!.label);
	if (isSame && own.length === other.length) return aligned as readonly Prediction[];
	throw inputError(
		'CELLS_DIFFER',
		`the cells ${names.join(' and ')} were not measured on the same functions`,
		{ remedy: 'Compare cells whose run folders have the predictions.test.jsonl that their runs wrote.' },
	);
}

/** The comparison for people. */
export function renderCellComparison({ a, b, functions, groupedBy, rocAuc, f1 }: CellComparison): string {
	return [
		`A: ${a.cell}`,
		`B: ${b.cell}`,
		`on the ${functions} test functions of both, A minus B:`,
		`ROC AUC  ${describeDifference(rocAuc)} (DeLong, paired)`,
		`F1       ${describeDifference(f1)} (bootstrap over ${groupNames[groupedBy]}, paired)`,
		`${outcome('ROC AUC', rocAuc)} ${outcome('F1', f1)} Neither p is corrected for other comparisons.`,
	].join('\n');
}

function outcome(metric: string, difference: Difference): string {
	if (difference.value === null || difference.low === null) return `In ${metric} they can't be told apart.`;
	if (difference.low > 0) return `In ${metric} A is better.`;
	if (difference.high < 0) return `In ${metric} B is better.`;
	return `In ${metric} these data show no difference.`;
}

/** `+0.031 [-0.002, +0.064], p = 0.066` */
export function describeDifference(difference: Difference): string {
	if (difference.value === null) return `undefined: ${difference.reason}`;
	const signed = (value: number) => `${value >= 0 ? '+' : ''}${value.toFixed(3)}`;
	const value = signed(difference.value);
	if (difference.low === null) return `${value}, no interval: ${difference.reason}`;
	const p =
		difference.p === null ? '' : `, p ${difference.p < 0.001 ? '< 0.001' : `= ${difference.p.toFixed(3)}`}`;
	return `${value} [${signed(difference.low)}, ${signed(difference.high)}]${p}`;
}
