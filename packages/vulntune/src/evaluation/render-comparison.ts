import { textTable } from '../terminal/text-table.ts';
import type { Comparison, ComparisonRow } from './compare-with-baselines.ts';
import { groupNames } from './groups.ts';
import { metricTable } from './metric-table.ts';
import type { Difference } from './verdict.ts';

/** The comparison for terminals: all metrics, the paired differences, and the verdict. */
export function renderComparison(comparison: Comparison): string {
	const { rows, missing, groupedBy } = comparison;
	const { counts, bootstrap } = rows[0]!.evaluation;
	const { tables, notes } = metricTable(rows);
	const unit = groupNames[groupedBy];
	const missingLine =
		missing.count === 0
			? []
			: [
					`${missing.count} functions (${missing.positives} vulnerable) were not scored: no row of this table ` +
						'counts them.',
				];
	return [
		`${counts.functions} functions, ${counts.positives} vulnerable; 95 % intervals: DeLong for ROC AUC, else ` +
			`bootstrap of ${bootstrap.resamples} over ${counts.groups} ${unit}`,
		...missingLine,
		...(rows[0]!.evaluation.confusion === null ? [withoutThreshold] : []),
		'',
		tables,
		'',
		differencesTable(rows[0]!.name, rows),
		'',
		...notes,
		'',
		comparison.verdict,
	].join('\n');
}

/** What a model has more than each of the others, with p. */
export function differencesTable(
	model: string,
	rows: readonly Pick<ComparisonRow, 'name' | 'against'>[],
): string {
	const isClustered = rows.some(({ against }) => against?.rocAucByCluster !== undefined);
	return textTable([
		[`${model} minus`, 'ROC AUC', 'p', ...(isClustered ? ['by cluster', 'p'] : []), 'F1', 'p'],
		...rows.flatMap(({ name, against }) =>
			against === null
				? []
				: [
						[
							name,
							...[against.rocAuc, against.rocAucByCluster ?? [], against.f1]
								.flat()
								.flatMap((difference) => [interval(difference), p(difference)]),
						],
					],
		),
	]);
}

/** Said wherever a run without a threshold is measured: its validation split is the only thing that may choose one. */
export const withoutThreshold =
	'There is no threshold, because all validation functions are of one class: the model calls nothing vulnerable, and every ' +
	'metric of such calls is undefined.';

/** Said below scores of which some saw a part of their function only; no lines where none did. */
export function truncationNote(functions: number): string[] {
	if (functions === 0) return [];
	const were = functions === 1 ? '1 function was' : `${functions} functions were`;
	return ['', `${were} longer than a sequence and scored by the head that fits.`];
}

function interval(difference: Difference): string {
	if (difference.value === null) return '-';
	const value = signed(difference.value);
	return difference.low === null ? value : `${value} [${signed(difference.low)}, ${signed(difference.high)}]`;
}

function p(difference: Difference): string {
	if (difference.value === null || difference.p === null) return '-';
	return difference.p < 0.001 ? '<0.001' : difference.p.toFixed(3);
}

function signed(value: number): string {
	return (value < 0 ? '' : '+') + value.toFixed(3);
}
