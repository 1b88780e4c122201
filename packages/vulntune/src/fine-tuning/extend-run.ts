import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { ExtensionRecord } from '../run/records.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { otherRun } from '../training/earlier-run.ts';
import type { TrainingState } from '../training/state.ts';

/**
 * Turns the state of a finished run into one that goes on to more epochs. The learning rate's schedule has come to its end, so
 * it starts again over the added steps, warm-up included, as one more cycle of SGDR (Loshchilov & Hutter 2017); the optimiser's
 * moments stay, the patience of early stopping is whole again. The line with the results is cut from metrics.jsonl.
 *
 * @param ran epochs that the run had until now
 * @throws VulntuneError CHECKPOINT_OTHER_RUN where it is not finished or has more epochs already
 */
export function extendRun(folder: RunFolder, state: TrainingState, ran: number, config: Config): void {
	const { epochs } = config.training;
	if (!state.finished || epochs < ran) {
		throw otherRun(
			folder,
			`the run has ${ran} epochs: only a finished one goes on, and only to more of them`,
		);
	}
	state.finished = false;
	state.epochsWithoutBest = 0;
	state.metricsBytes = beforeLastLine(folder.metrics, state.metricsBytes);
	state.extension = { firstEpoch: state.epoch, stepsBefore: state.step, isLogged: false };
}

/** Where the last of the first `bytes` bytes' lines begins. */
function beforeLastLine(file: string, bytes: number): number {
	const lines = readFileSync(file).subarray(0, bytes);
	return lines.lastIndexOf('\n', lines.length - 2) + 1;
}

/** The line to log where a state has begun an extension that isn't in the log yet. */
export function extensionRecord(state: TrainingState, config: Config): ExtensionRecord | undefined {
	const { extension } = state;
	if (extension === undefined || extension.isLogged) return undefined;
	const { epochs, schedule } = config.training;
	const { firstEpoch: epoch, stepsBefore: step } = extension;
	return { type: 'extension', epoch, epochs, step, schedule };
}

/** What it does, for the reader of the terminal. */
export function describeExtension({ epoch, epochs, schedule }: ExtensionRecord): string {
	const start = schedule === 'constant' ? 'the warm-up' : `the ${schedule} schedule, warm-up included,`;
	const added = epoch === epochs ? `epoch ${epoch} is added` : `epochs ${epoch} to ${epochs} are added`;
	return `a finished run goes on: ${added}; ${start} starts again over their steps`;
}
