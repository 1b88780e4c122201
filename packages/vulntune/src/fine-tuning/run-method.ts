import { alone, type Processes } from '../communication/communicator.ts';
import { requireOneProcess } from '../communication/launch.ts';
import type { Config } from '../config/schema.ts';
import type { RunMode, RunOutcome, RunSignals } from './run-events.ts';
import { runTraining } from './run-training.ts';

/**
 * A whole run, whatever its method trains.
 *
 * @param processes those that share its work out; throws SEVERAL_PROCESSES for a fit of n-grams, which one process does
 */
export async function runMethod(
	config: Config,
	mode: RunMode,
	signals: RunSignals,
	processes: Processes = alone,
): Promise<RunOutcome> {
	if (config.method.type !== 'ngram') return runTraining(config, mode, signals, processes);
	if (processes.size > 1) requireOneProcess('a fit of n-grams (method.type: ngram)', process.env);
	const { runNgram } = await import('./run-ngram.ts');
	return runNgram(config, mode, signals);
}
