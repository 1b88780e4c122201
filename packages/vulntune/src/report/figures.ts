import { calibrationFigure, precisionRecallFigure, rocFigure } from './curve-figures.ts';
import { epochLoss, epochScores, trainingLoss } from './epoch-figures.ts';
import type { Figure } from './figure-parts.ts';
import type { ReportData } from './report-data.ts';

/** All figures of a report, in the order of the page. */
export async function drawFigures(data: ReportData): Promise<Figure[]> {
	const figures = [
		epochScores(data),
		epochLoss(data),
		trainingLoss(data),
		rocFigure(data),
		precisionRecallFigure(data),
		calibrationFigure(data),
	];
	const drawn: Figure[] = [];
	for (const figure of figures) drawn.push(await figure);
	return drawn;
}
