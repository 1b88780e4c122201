import { existsSync } from 'node:fs';
import { parseJsonObject, readSmallFile } from '@vulntune/engine';
import { readDescription } from '../methods/description.ts';
import { describeTemperatureBound } from '../metrics/calibrate.ts';
import { hasEnded } from '../run/end-record.ts';
import type { RunFolder } from '../run/run-folder.ts';

/**
 * What makes the numbers of a run something else than they seem: it isn't finished, or its dataset changed.
 *
 * @param datasetHash of the run's own dataset as it is now; undefined where another one is scored
 */
export function runCautions(run: RunFolder, datasetHash: string | undefined): string[] {
	const cautions: string[] = [];
	const epoch = readDescription(run.adapter)?.epoch;
	if (!hasEnded(run)) {
		const which = epoch === undefined ? '' : ` Scored is the adapter of epoch ${epoch}, the best so far.`;
		cautions.push(`The run is not finished.${which}`);
	}
	const trainedOn = recordedHash(run);
	if (datasetHash !== undefined && trainedOn !== undefined && datasetHash !== trainedOn) {
		cautions.push('The dataset is not the one that the run was trained with: its files have changed since.');
	}
	return cautions;
}

/** What the temperature of an adapter's folder means where it lies at the end of what was searched. */
export function temperatureCautions(adapter: string): string[] {
	const calibration = readDescription(adapter)?.calibration;
	const bound = calibration && describeTemperatureBound(calibration.temperature.value);
	return bound === undefined ? [] : [bound];
}

/** Hash of the dataset that a run was trained with; undefined where it doesn't say. */
export function recordedHash({ environment }: RunFolder): string | undefined {
	if (!existsSync(environment)) return undefined;
	const where = {
		code: 'RUN_FILE',
		place: environment,
		remedy: 'Train again: the file is not as a run wrote it.',
	};
	const { datasetHash } = parseJsonObject(readSmallFile(environment, 1_000_000), where) as {
		datasetHash?: unknown;
	};
	return typeof datasetHash === 'string' ? datasetHash : undefined;
}
