import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { elements, expectedTensors, parseModelConfig, writeSafetensors } from '@vulntune/engine';
import { roundToBfloat16 } from '@vulntune/engine/formats/floats.ts';
import { randomNumbers } from './random.ts';

/** Sizes of a Llama. */
export interface ModelShape {
	readonly layers: number;
	readonly hidden: number;
	readonly intermediate: number;
	readonly heads: number;
	readonly keyValueHeads: number;
	readonly vocabulary: number;
}

export const smollm2: ModelShape = {
	layers: 30,
	hidden: 576,
	intermediate: 1536,
	heads: 9,
	keyValueHeads: 3,
	vocabulary: 49_152,
};

/** So many of the forty layers of a 13B model. */
export function shapeOf13B(layers: number): ModelShape {
	return { layers, hidden: 5120, intermediate: 13_824, heads: 40, keyValueHeads: 40, vocabulary: 32_016 };
}

const tokenizerFolder = fileURLToPath(new URL('../../packages/vulntune/assets/demo-base', import.meta.url));

/** Writes a model of random weights that knows nothing, with the demo's tokenizer: for times and memory. */
export function writeSyntheticModel(folder: string, shape: ModelShape): void {
	mkdirSync(folder, { recursive: true });
	for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
		copyFileSync(path.join(tokenizerFolder, name), path.join(folder, name));
	}
	const json = {
		architectures: ['LlamaForCausalLM'],
		model_type: 'llama',
		vocab_size: shape.vocabulary,
		hidden_size: shape.hidden,
		intermediate_size: shape.intermediate,
		num_hidden_layers: shape.layers,
		num_attention_heads: shape.heads,
		num_key_value_heads: shape.keyValueHeads,
		max_position_embeddings: 4096,
		rope_theta: 10_000,
		rms_norm_eps: 1e-5,
		hidden_act: 'silu',
		tie_word_embeddings: true,
		bos_token_id: 0,
		eos_token_id: 0,
		torch_dtype: 'bfloat16',
	};
	writeFileSync(path.join(folder, 'config.json'), JSON.stringify(json));
	const weights = bytesOf(randomNumbers().map((number) => 0.02 * number));
	const ones = bytesOf(new Float32Array(weights.length / 2).fill(1));
	const entries = expectedTensors(parseModelConfig(json, 'config.json')).map(
		({ name, shape: size, kind }) => ({
			name,
			dtype: 'BF16' as const,
			shape: size,
			data: () => repeated(kind === 'norm' ? ones : weights, 2 * elements(size)),
		}),
	);
	writeSafetensors(path.join(folder, 'model.safetensors'), entries, { format: 'pt' });
}

function bytesOf(numbers: Float32Array<ArrayBuffer>): Uint8Array {
	return new Uint8Array(roundToBfloat16(numbers).buffer);
}

function repeated(bytes: Uint8Array, length: number): Uint8Array {
	const result = new Uint8Array(length);
	for (let at = 0; at < length; at += bytes.length) {
		result.set(bytes.subarray(0, Math.min(bytes.length, length - at)), at);
	}
	return result;
}
