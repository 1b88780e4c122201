import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError, type ModelConfig } from '@vulntune/engine';
import { hubCache } from '../hub/cache.ts';
import { isHubName } from '../hub/names.ts';

/** Refuses as a base what `checkModelName` refuses, and a run or an adapter, which is to be started from. Throws MODEL_CONFIG_MISSING too. */
export function checkBaseModel(model: string): void {
	checkModelName(model);
	refuseRun(model);
}

/** Refuses the name of a model that isn't in the hub's cache, with the command that fetches it. Throws MODEL_NOT_FOUND. */
export function checkModelName(model: string): void {
	if (!isHubName(model) || existsSync(model)) return;
	const message = `there is no such folder, and no model of this name in the hub's cache (${hubCache()})`;
	throw inputError('MODEL_NOT_FOUND', message, {
		place: model,
		remedy: `Fetch it: vulntune model info ${model} --download. Or give the path of a folder in Hugging Face layout, or of a GGUF file.`,
	});
}

function refuseRun(folder: string): void {
	const has = (name: string) => existsSync(path.join(folder, name));
	if (has('config.json')) return;
	const pretrained = path.join(folder, 'model');
	if (has(path.join('model', 'config.json')) && has('metrics.jsonl')) {
		throw inputError('MODEL_CONFIG_MISSING', 'this is a run of pretrain, not the model that it made', {
			place: folder,
			remedy: `Give that: ${pretrained}.`,
		});
	}
	const adapter = has('adapter_config.json') ? folder : path.join(folder, 'adapter');
	if (!existsSync(path.join(adapter, 'adapter_config.json'))) return;
	const what = adapter === folder ? 'an adapter' : 'a run, which has an adapter';
	throw inputError('MODEL_CONFIG_MISSING', `this is ${what} and no base model`, {
		place: folder,
		remedy: `To train on from it, set method.from to ${folder} and model to the base that it was made on; vulntune model merge makes a model of both.`,
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
