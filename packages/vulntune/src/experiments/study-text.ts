import type { Metric } from '../metrics/evaluation.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/format.ts';
import { textTable } from '../terminal/text-table.ts';
import type { Study, StudyCell } from './read-study.ts';

/** The cells of a study for people. */
export function renderStudy({ cells, counts }: Study): string {
	if (cells.length === 0) {
		return 'The ledger holds no cells yet: vulntune experiment run GRID.yaml --output DIR puts those of a grid into it.';
	}
	const rows = cells.map(({ cell, name, status, rocAuc, f1, seconds, peakBytes }) => [
		`${cell}  ${name}`,
		status,
		withInterval(rocAuc),
		withInterval(f1),
		seconds === null ? '' : formatDuration(seconds),
		peakBytes === null ? '' : formatBytes(peakBytes),
	]);
	const table = textTable([['cell', 'status', 'test ROC AUC', 'F1', 'time', 'memory'], ...rows]);
	const failed = cells.flatMap((cell) => failureLine(cell));
	const counted = Object.entries(counts).filter(([, count]) => count > 0);
	const summary = counted.map(([status, count]) => `${count} ${status}`).join(', ');
	return [table, '', `${formatCount(cells.length, 'cell')}: ${summary}.`, ...failed].join('\n');
}

function failureLine({ cell, name, error, status }: StudyCell): string[] {
	return error === null || status !== 'failed' ? [] : ['', `Cell ${cell} (${name}) failed: ${error.message}`];
}

/** `0.626 [0.572, 0.680]` */
export function withInterval(metric: Metric | null): string {
	if (metric === null) return '';
	if (metric.value === null) return 'undefined';
	const value = metric.value.toFixed(3);
	return metric.low === null ? value : `${value} [${metric.low.toFixed(3)}, ${metric.high.toFixed(3)}]`;
}
