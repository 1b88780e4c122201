import { existsSync } from 'node:fs';
import { inputError, type ModelConfig } from '@vulntune/engine';
import { isHubName } from '../config/paths.ts';

/**
 * Refuses as a base what names a model but is no folder of one, with what to do instead.
 *
 * Throws MODEL_NOT_FOUND for the name of a model on a hub.
 */
export function checkBaseModel(model: string): void {
	const remedy =
		'Download the model in Hugging Face layout (config.json, tokenizer.json, *.safetensors) and give the path of its folder.';
	if (isHubName(model) && !existsSync(model)) {
		const message = 'there is no such folder, and models are not fetched by name in this version';
		throw inputError('MODEL_NOT_FOUND', message, { place: model, remedy });
	}
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
