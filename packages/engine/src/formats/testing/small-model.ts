import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expectedTensors } from '../../models/families.ts';
import { parseModelConfig } from '../../models/model-config.ts';
import { makeFolder } from '../files.ts';
import { writeShardedSafetensors } from '../safetensors/sharded.ts';
import type { SafetensorsEntry } from '../safetensors/writer.ts';

/** config.json of a Llama with one layer, as transformers 4 writes it. */
export const smallConfig = {
	model_type: 'llama',
	hidden_size: 16,
	intermediate_size: 24,
	num_hidden_layers: 1,
	num_attention_heads: 4,
	num_key_value_heads: 2,
	vocab_size: 10,
	max_position_embeddings: 32,
	rms_norm_eps: 1e-5,
	rope_theta: 10_000,
	rope_scaling: null,
	tie_word_embeddings: false,
	torch_dtype: 'float32',
	bos_token_id: 1,
	eos_token_id: 2,
};

/** The tensors that a config calls for, each filled with its index. */
export function smallTensors(config: object = smallConfig): readonly SafetensorsEntry[] {
	return expectedTensors(parseModelConfig(config, 'config.json')).map(({ name, shape }, index) => {
		const elements = shape.reduce((product, size) => product * size, 1);
		return { name, dtype: 'F32', shape, data: new Uint8Array(new Float32Array(elements).fill(index).buffer) };
	});
}

/** Test helper: a model folder with `config`, and the tensors of `smallConfig` unless others are given. */
export function writeSmallModel(
	folder: string,
	config: object = smallConfig,
	tensors: readonly SafetensorsEntry[] = smallTensors(),
	maxShardBytes = Number.POSITIVE_INFINITY,
): string {
	makeFolder(folder);
	writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
	writeShardedSafetensors(folder, tensors, { maxShardBytes });
	return folder;
}
