import type { Fields } from '../formats/huggingface/fields.ts';
import type { KeyTable } from '../formats/known-keys.ts';
import type { ModelConfig } from './model.ts';
import type { Placement } from './placement.ts';
import type { TransformerWeights } from './transformer.ts';

/** Models of one shape: how their config.json is read, and which weights make up what. */
export interface Family<Config extends ModelConfig = ModelConfig> {
	readonly name: string;
	/** The `model_type`s of config.json. */
	readonly modelTypes: readonly string[];
	/** The keys of config.json. */
	readonly keys: KeyTable;
	/** Reads config.json, whose other keys are refused already. Throws MODEL_CONFIG with the field's place. */
	parse(fields: Fields, modelType: string): Config;
	/** The weights under the names that they have in a checkpoint, each written here and nowhere else. */
	weights(config: Config, place: Placement): TransformerWeights;
	/** Angle per position of each pair of a head [D/2], where positions are rotary: more than one where layers differ in them. */
	frequencies?(config: Config): readonly Float64Array[];
	/** Tensors of checkpoints that are no part of the base: buffers that config.json determines, heads of tasks. */
	readonly unread: readonly RegExp[];
}
