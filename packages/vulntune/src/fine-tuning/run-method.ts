import type { Config } from '../config/schema.ts';
import { type RunMode, type RunOutcome, type RunSignals, runTraining } from './run-training.ts';

/** A whole run, whatever its method trains. */
export async function runMethod(config: Config, mode: RunMode, signals: RunSignals): Promise<RunOutcome> {
	if (config.method.type !== 'ngram') return runTraining(config, mode, signals);
	const { runNgram } = await import('./run-ngram.ts');
	return runNgram(config, mode, signals);
}
