import { forestFigure } from './forest-figure.ts';
import type { ReportCell } from './report-cells.ts';
import { epochFigures } from './study-epoch-figures.ts';
import type { StudyFigure } from './study-figure.ts';

/**
 * The test ROC AUC of all runs beside the baselines', then Figures 1 and 2 of the paper for them. Each dataset has its own, by its number
 * where there are several.
 */
export async function studyFigures(cells: readonly ReportCell[]): Promise<StudyFigure[]> {
	const byData = [...Map.groupBy(cells, ({ data }) => data).values()];
	const forests: StudyFigure[] = [];
	const curves: StudyFigure[] = [];
	for (const [i, own] of byData.entries()) {
		const suffix = byData.length === 1 ? '' : `-${i + 1}`;
		const measured = own.filter(({ rocAuc }) => rocAuc.value !== null);
		if (measured.length > 0) forests.push(await forestFigure(measured, `forest${suffix}`));
		curves.push(...(await epochFigures(own, suffix)));
	}
	return [...forests, ...curves];
}
