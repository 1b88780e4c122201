import {
	elements,
	expectedTensors,
	type ModelFolder,
	openModelFolder,
	parseModelConfig,
	type WeightSource,
} from '@vulntune/engine';
import { smolLm135m } from '../shapes.ts';
import { randomNumbers } from '../tensors.ts';

/** config.json of SmolLM2-135M, for where the model is not there. */
export const smolLmConfig = {
	architectures: ['LlamaForCausalLM'],
	model_type: 'llama',
	hidden_size: smolLm135m.hiddenSize,
	intermediate_size: smolLm135m.intermediateSize,
	num_hidden_layers: smolLm135m.layers,
	num_attention_heads: smolLm135m.heads,
	num_key_value_heads: smolLm135m.keyValueHeads,
	vocab_size: smolLm135m.vocabularySize,
	max_position_embeddings: 8192,
	rms_norm_eps: 1e-5,
	rope_theta: 100_000,
	hidden_act: 'silu',
	tie_word_embeddings: true,
	bos_token_id: 1,
	eos_token_id: 2,
	torch_dtype: 'bfloat16',
};

/** The pretrained model, or one of its shape with random weights: a step takes the same time. */
export function openModel(folder: string | undefined): ModelFolder {
	if (folder !== undefined) return openModelFolder(folder);
	const config = parseModelConfig(smolLmConfig, 'config.json');
	const weights = randomWeights(expectedTensors(config));
	return { path: 'random weights', config, weights, close: weights.close };
}

function randomWeights(tensors: ReturnType<typeof expectedTensors>): WeightSource {
	const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
	return {
		place: 'random weights',
		names: [...shapes.keys()],
		info(name) {
			const shape = shapes.get(name);
			return shape && { dtype: 'F32', shape, byteLength: 4 * elements(shape) };
		},
		read: (name) => new Uint8Array(randomNumbers(elements(shapes.get(name)!)).buffer as ArrayBuffer),
		close: () => {},
	};
}
