import { existsSync } from 'node:fs';
import { inputError, type ModelConfig } from '@vulntune/engine';
import { hubCache } from '../hub/cache.ts';
import { isHubName } from '../hub/names.ts';

/** Refuses as a base the name of a model that isn't in the hub's cache, with the command that fetches it. Throws MODEL_NOT_FOUND. */
export function checkBaseModel(model: string): void {
	if (!isHubName(model) || existsSync(model)) return;
	const message = `there is no such folder, and no model of this name in the hub's cache (${hubCache()})`;
	throw inputError('MODEL_NOT_FOUND', message, {
		place: model,
		remedy: `Fetch it: vulntune model info ${model} --download. Or give the path of a folder in Hugging Face layout, or of a GGUF file.`,
	});
}

/** Full fine-tuning moves every weight: one that is stored in a few bits has nowhere to move to. Throws BASE_QUANTIZED. */
export function checkTrainable(model: string, { quantization }: ModelConfig, method: string): void {
	if (method !== 'full' || quantization === undefined) return;
	const stored = quantization.type;
	throw inputError(
		'BASE_QUANTIZED',
		`method.type full trains every weight, but these are stored in ${stored}`,
		{
			place: model,
			remedy: 'Give the model that it was quantised from, or set method.type to qlora.',
		},
	);
}
