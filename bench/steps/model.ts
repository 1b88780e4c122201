import {
	elements,
	expectedTensors,
	type ModelFolder,
	openModelFolder,
	parseModelConfig,
	type WeightSource,
} from '@vulntune/engine';
import { type ModelShape, qwen15b, smolLm135m } from '../shapes.ts';
import { randomBfloat16 } from '../tensors.ts';

/** config.json of a shape, for where no model is there. */
function configOf(shape: ModelShape, particulars: object): object {
	return {
		architectures: ['LlamaForCausalLM'],
		model_type: 'llama',
		hidden_size: shape.hiddenSize,
		intermediate_size: shape.intermediateSize,
		num_hidden_layers: shape.layers,
		num_attention_heads: shape.heads,
		num_key_value_heads: shape.keyValueHeads,
		vocab_size: shape.vocabularySize,
		hidden_act: 'silu',
		tie_word_embeddings: true,
		bos_token_id: 1,
		eos_token_id: 2,
		torch_dtype: 'bfloat16',
		...particulars,
	};
}

/** The models of whole steps. */
export const modelConfigs = {
	'135m': configOf(smolLm135m, { max_position_embeddings: 8192, rms_norm_eps: 1e-5, rope_theta: 100_000 }),
	'1.5b': configOf(qwen15b, { max_position_embeddings: 32_768, rms_norm_eps: 1e-6, rope_theta: 1_000_000 }),
} as const;
export type ModelName = keyof typeof modelConfigs;

/** The pretrained model, or one of the shape with random weights: a step takes the same time. */
export function openModel(name: ModelName, folder: string | undefined): ModelFolder {
	if (folder !== undefined) return openModelFolder(folder);
	const config = parseModelConfig(modelConfigs[name], 'config.json');
	const weights = randomWeights(expectedTensors(config));
	return { path: 'random weights', config, weights, close: weights.close };
}

/** Drawn tensor by tensor when one is read, in the type that such models are published in: none is held twice. */
function randomWeights(tensors: ReturnType<typeof expectedTensors>): WeightSource {
	const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
	const read = (name: string) => new Uint8Array(randomBfloat16(elements(shapes.get(name)!)).buffer);
	return {
		place: 'random weights',
		names: [...shapes.keys()],
		info(name) {
			const shape = shapes.get(name);
			return shape && { dtype: 'BF16', shape, byteLength: 2 * elements(shape) };
		},
		read,
		readPart: (name, byteOffset, byteLength) => read(name).slice(byteOffset, byteOffset + byteLength),
		close: () => {},
	};
}
