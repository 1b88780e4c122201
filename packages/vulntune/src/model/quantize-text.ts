import { formatBytes, formatNumber } from '../terminal/format.ts';
import type { MatrixErrors } from './error-table.ts';
import type { QuantizeReport } from './quantize-model.ts';

/** The report for people: sizes, and how far the restored weights lie from the original ones. */
export function describeQuantization(report: QuantizeReport): string {
	const { bytesBefore, bytesAfter, doubleQuantization, type } = report;
	const scales = doubleQuantization === true ? ', scales quantised too' : '';
	const rows = [...Object.entries(report.errors), ['all', report.total] as const];
	return [
		`${report.output}: ${type}${scales}, ${report.bitsPerWeight.toFixed(2)} bits per quantised weight`,
		`weights ${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)} (${((100 * bytesAfter) / bytesBefore).toFixed(1)} %), in ${report.files.filter((file) => file.endsWith('.safetensors')).length} file(s)`,
		'',
		'Error of the restored weights (relative: root mean square of the error by that of the weights):',
		row('matrix', 'count', 'weights', 'relative', 'mean abs', 'largest', 'SNR dB'),
		...rows.map(([kind, errors]) => errorRow(kind, errors)),
		...report.warnings.flatMap((warning) => ['', warning]),
	].join('\n');
}

function errorRow(kind: string, errors: MatrixErrors): string {
	const { signalToNoiseDecibels: decibels } = errors;
	return row(
		kind,
		formatNumber(errors.matrices),
		formatNumber(errors.weights),
		errors.relativeRms.toFixed(5),
		errors.meanAbs.toExponential(2),
		errors.maxAbs.toExponential(2),
		Number.isFinite(decibels) ? decibels.toFixed(1) : '-',
	);
}

function row(...cells: readonly string[]): string {
	const [first = '', ...others] = cells;
	return `  ${first.padEnd(12)}${others.map((cell) => cell.padStart(16)).join('')}`.trimEnd();
}
