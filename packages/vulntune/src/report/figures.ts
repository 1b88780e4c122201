import type { CalibratedTest } from './calibrated-test.ts';
import { calibrationFigure } from './calibration-figure.ts';
import { precisionRecallFigure, rocFigure } from './curve-figures.ts';
import { epochLoss, epochScores, trainingLoss } from './epoch-figures.ts';
import { type Figure, synthetic } from './figure-parts.ts';
import type { ReportData } from './report-data.ts';
import { scoredFunctions } from './scored-functions.ts';

/** All figures of a report, in the order of the page. */
export interface Figures {
	/** Of the test split. */
	readonly test: readonly Figure[];
	/** The same of what the maps beside the adapter make of its probabilities; absent where none does. */
	readonly calibrated: Figure | undefined;
	readonly training: readonly Figure[];
}

/** @param maps what the maps beside the adapter make of the test split */
export async function drawFigures(data: ReportData, maps: CalibratedTest | undefined): Promise<Figures> {
	const { labels, probabilities } = scoredFunctions(data.test);
	const before = synthetic(data);
	const asTheyCome = [{ name: 'as they come', probabilities }];
	return {
		test: [
			await rocFigure(data),
			await precisionRecallFigure(data),
			await calibrationFigure('Calibration (test)', labels, asTheyCome, before),
		],
		calibrated:
			maps &&
			(await calibrationFigure('Calibration behind the maps (test)', maps.labels, mapSeries(maps), before)),
		training: [await epochScores(data), await epochLoss(data), await trainingLoss(data)],
	};
}

function mapSeries({ temperature, isotonic }: CalibratedTest) {
	return [
		{ name: 'temperature', probabilities: temperature },
		{ name: 'isotonic', probabilities: isotonic },
	];
}
