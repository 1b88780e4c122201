import { inputError } from '../errors.ts';
import { readFields } from '../formats/huggingface/fields.ts';
import { describeJson, isJsonObject } from '../formats/json.ts';
import { families } from './families.ts';
import type { ModelConfig } from './model.ts';

/**
 * Validates the contents of a config.json. Throws `MODEL_CONFIG` with the field's place
 * (`config.json: hidden_size`) and `MODEL_TYPE` for a kind of model that is not supported.
 */
export function parseModelConfig(json: unknown, place: string): ModelConfig {
	if (!isJsonObject(json)) {
		throw inputError('MODEL_CONFIG', `a JSON object is expected, found ${describeJson(json)}`, { place });
	}
	const fields = readFields(json, place);
	const type = fields.text('model_type') ?? '';
	const family = families.find(({ modelTypes }) => modelTypes.includes(type));
	if (family === undefined) {
		const supported = families.flatMap(({ modelTypes }) => modelTypes).join(', ');
		throw inputError(
			'MODEL_TYPE',
			`a model of type ${supported} is expected, found ${describeJson(fields.raw('model_type'))}`,
			{ place: `${place}: model_type`, remedy: 'Choose a base model of a supported type.' },
		);
	}
	fields.refuseOthers(family.keys);
	return family.parse(fields, type);
}
