import { formatBytes, formatNumber } from '../terminal/format.ts';
import type { LogitDifference } from './compare-logits.ts';
import type { MergeReport } from './merge-model.ts';

/** The report for people. */
export function describeMerge(report: MergeReport): string {
	const { adapted, architecture, bytes, difference, files, output, type, warnings } = report;
	const weights = files.filter((file) => file.endsWith('.safetensors')).length;
	return [
		`${output}: ${architecture} in ${type}, ${formatBytes(bytes)} in ${weights} file(s), adapter added to ${formatNumber(adapted)} matrices`,
		describeDifference(difference),
		...warnings.flatMap((warning) => ['', warning]),
		'',
		`vulntune evaluate ${output} --data DATASET scores with it.`,
	].join('\n');
}

/** How far the logits of a written model lie from the detector's. */
export function describeDifference(difference: LogitDifference | null): string {
	if (difference === null) return 'logits not compared';
	const { count, functions, largest, logits, magnitude } = difference;
	const where = functions === 'valid' ? 'of the validation split' : 'that are built in';
	return `logits of ${count} functions ${where} (${formatNumber(logits)} each, up to ${magnitude.toPrecision(3)}): at most ${largest.toPrecision(2)} from the detector's`;
}
