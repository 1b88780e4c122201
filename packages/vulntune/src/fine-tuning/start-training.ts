import type { Config } from '../config/schema.ts';
import { startRun } from '../run/run-thread.ts';
import type { RunMode, RunOutcome, TrainingEvent } from './run-events.ts';
import type { TrainingInput } from './worker.ts';

/**
 * Runs a training on a thread of its own.
 *
 * @param interruption aborted: the run saves a checkpoint after the current pack and ends
 */
export function startTraining(
	config: Config,
	mode: RunMode,
	onEvent: (event: TrainingEvent) => void,
	interruption?: AbortSignal,
): Promise<RunOutcome> {
	const input: TrainingInput = { config, mode };
	return startRun(new URL('./worker.ts', import.meta.url), input, onEvent, interruption);
}
