import { inputError } from '../../errors.ts';
import { describeJson, isJsonObject } from '../json.ts';
import type { ExpectedTensor } from './expected-tensor.ts';
import { type Fields, readFields } from './fields.ts';
import { type LlamaConfig, llamaTensors, parseLlamaConfig } from './llama.ts';

/** The shape of a model, as plain data; `architecture` tells which kind it is. */
export type ModelConfig = LlamaConfig;

/** What can read each `model_type` of config.json. */
const parsers: ReadonlyMap<string, (fields: Fields) => ModelConfig> = new Map([
	['llama', (fields: Fields) => parseLlamaConfig(fields, 'llama')],
	['mistral', (fields: Fields) => parseLlamaConfig(fields, 'mistral')],
]);

/**
 * Validates the contents of a config.json. Throws `MODEL_CONFIG` with the field's place
 * (`config.json: hidden_size`) and `MODEL_TYPE` for a kind of model that is not supported.
 */
export function parseModelConfig(json: unknown, place: string): ModelConfig {
	if (!isJsonObject(json)) {
		throw inputError('MODEL_CONFIG', `a JSON object is expected, found ${describeJson(json)}`, { place });
	}
	const fields = readFields(json, place);
	const parse = parsers.get(fields.text('model_type') ?? '');
	if (parse === undefined) {
		const supported = [...parsers.keys()].join(', ');
		throw inputError(
			'MODEL_TYPE',
			`a model of type ${supported} is expected, found ${describeJson(fields.raw('model_type'))}`,
			{ place: `${place}: model_type`, remedy: 'Choose a base model of a supported type.' },
		);
	}
	return parse(fields);
}

/** Every tensor that a checkpoint of this model must have, with its name and shape. */
export function expectedTensors(config: ModelConfig): readonly ExpectedTensor[] {
	return llamaTensors(config);
}
