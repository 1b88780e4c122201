import { VulntuneError } from '@vulntune/engine';

/** Where in a run something was computed. */
export interface TrainingPlace {
	readonly epoch: number;
	readonly step: number;
}

/**
 * Stops a run in which a number has become NaN or infinite, before anything is written: a checkpoint or a model made of such numbers
 * would be of no use.
 *
 * @param what the number, with its verb: `the gradient is`
 * @throws VulntuneError LOSS_NOT_FINITE
 */
export function requireFinite(value: number, what: string, { epoch, step }: TrainingPlace): void {
	if (Number.isFinite(value)) return;
	throw new VulntuneError({
		code: 'LOSS_NOT_FINITE',
		kind: 'runtime',
		message: `${what} no longer a number in epoch ${epoch}, step ${step}`,
		remedy: 'Lower training.learningRate or set training.clipNorm, and start anew with --overwrite.',
	});
}
