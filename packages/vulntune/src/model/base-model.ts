import { existsSync } from 'node:fs';
import { inputError } from '@vulntune/engine';
import { isHubName } from '../config/paths.ts';

/**
 * Refuses as a base what names a model but is no folder of one, with what to do instead.
 *
 * Throws MODEL_GGUF, and MODEL_NOT_FOUND for the name of a model on a hub.
 */
export function checkBaseModel(model: string): void {
	const remedy =
		'Download the model in Hugging Face layout (config.json, tokenizer.json, *.safetensors) and give the path of its folder.';
	if (/\.gguf$/i.test(model) && existsSync(model)) {
		throw inputError('MODEL_GGUF', 'GGUF files are not read in this version', { place: model, remedy });
	}
	if (isHubName(model) && !existsSync(model)) {
		const message = 'there is no such folder, and models are not fetched by name in this version';
		throw inputError('MODEL_NOT_FOUND', message, { place: model, remedy });
	}
}
