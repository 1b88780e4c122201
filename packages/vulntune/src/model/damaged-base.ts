import {
	expectedTensors,
	findNonFinite,
	inputError,
	type ModelFolder,
	VulntuneError,
} from '@vulntune/engine';

/** Codes of errors that say that a number has become NaN or infinite. */
const symptoms = ['LOSS_NOT_FINITE', 'SCORE_NOT_FINITE', 'QUANTIZE_NOT_FINITE', 'EXPORT_RANGE'];

/**
 * Runs what computes with a base. Where it ends in a number that is none, the base is looked through first: advice on the
 * learning rate is of no use where a weight was damaged from the start.
 *
 * @throws VulntuneError MODEL_NOT_FINITE, which names the tensor, and what `compute` throws
 */
export async function blamingBase<Result>(
	{ config, path, weights }: Pick<ModelFolder, 'config' | 'path' | 'weights'>,
	compute: () => Result | Promise<Result>,
): Promise<Result> {
	try {
		return await compute();
	} catch (error) {
		if (!(error instanceof VulntuneError) || !symptoms.includes(error.code)) throw error;
		const names = expectedTensors(config).map(({ name }) => name);
		const found = findNonFinite(weights, names);
		if (found === undefined) throw error;
		const message = `the base model's ${found.name} holds NaN or infinity (element ${found.element})`;
		throw inputError('MODEL_NOT_FINITE', message, {
			place: path,
			remedy: 'The weights are damaged: download or export the model again.',
			cause: error,
		});
	}
}
