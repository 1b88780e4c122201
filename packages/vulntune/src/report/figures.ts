import { calibrationFigure, precisionRecallFigure, rocFigure } from './curve-figures.ts';
import { epochLoss, epochScores, trainingLoss } from './epoch-figures.ts';
import type { Figure } from './figure-parts.ts';
import type { ReportData } from './report-data.ts';

/** All figures of a report, in the order of the page. */
export interface Figures {
	/** Of the test split. */
	readonly test: readonly Figure[];
	readonly training: readonly Figure[];
}

export async function drawFigures(data: ReportData): Promise<Figures> {
	return {
		test: [await rocFigure(data), await precisionRecallFigure(data), await calibrationFigure(data)],
		training: [await epochScores(data), await epochLoss(data), await trainingLoss(data)],
	};
}
