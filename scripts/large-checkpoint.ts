/**
 * Writes a checkpoint of CodeLlama's sizes with random weights, in float16 and shards, to measure what a large model takes:
 *
 *     node scripts/large-checkpoint.ts 13b /path/to/folder /path/of/a/tokenizer's/folder
 *
 * It knows nothing; 26 GB of disk for 13b, 13.5 GB for 7b, 2.2 GB for 1b.
 */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
	elements,
	expectedTensors,
	hashStream,
	normalArray,
	parseModelConfig,
	roundToFloat16,
	type SafetensorsEntry,
	writeShardedSafetensors,
} from '@vulntune/engine';

/** Hidden size, feed-forward size, layers, heads, as in the published config.json files. */
const sizes: Readonly<Record<string, readonly [number, number, number, number]>> = {
	'13b': [5120, 13_824, 40, 40],
	'7b': [4096, 11_008, 32, 32],
	'1b': [2048, 5632, 22, 32],
};
/** Values that are drawn once; every tensor is a run of them from a place of its own. */
const DRAWN = 2 ** 24;

const [size = '', folder, tokenizer] = process.argv.slice(2);
if (!Object.hasOwn(sizes, size) || folder === undefined || tokenizer === undefined) {
	console.error('node scripts/large-checkpoint.ts 13b|7b|1b FOLDER TOKENIZER_FOLDER');
	process.exit(2);
}
const [hidden, intermediate, layers, heads] = sizes[size]!;
const config = {
	architectures: ['LlamaForCausalLM'],
	model_type: 'llama',
	hidden_size: hidden,
	intermediate_size: intermediate,
	num_hidden_layers: layers,
	num_attention_heads: heads,
	num_key_value_heads: heads,
	vocab_size: 32_016,
	max_position_embeddings: 16_384,
	rope_theta: 1_000_000,
	rms_norm_eps: 1e-5,
	hidden_act: 'silu',
	bos_token_id: 1,
	eos_token_id: 2,
	tie_word_embeddings: false,
	torch_dtype: 'float16',
};

const drawn = roundToFloat16(normalArray(1, hashStream('weights'), DRAWN, 0.02));
const ones = roundToFloat16(new Float32Array(hidden).fill(1));

/** The values of a tensor: repeated, and from an odd step on, so that no two matrices are alike. */
function valuesOf(name: string, count: number): Uint8Array {
	const values = new Uint16Array(count);
	let from = (hashStream(name) >>> 0) % DRAWN;
	for (let done = 0; done < count; from = 0) {
		const part = drawn.subarray(from, Math.min(DRAWN, from + count - done));
		values.set(part, done);
		done += part.length;
	}
	return new Uint8Array(values.buffer);
}

mkdirSync(folder, { recursive: true });
for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
	if (existsSync(path.join(tokenizer, name)))
		copyFileSync(path.join(tokenizer, name), path.join(folder, name));
}
const entries = expectedTensors(parseModelConfig(config, 'config.json')).map(
	({ name, shape, kind }): SafetensorsEntry => ({
		name,
		dtype: 'F16',
		shape,
		data: () => (kind === 'norm' ? new Uint8Array(ones.buffer) : valuesOf(name, elements(shape))),
	}),
);
console.log(writeShardedSafetensors(folder, entries, { metadata: { format: 'pt' } }).join('\n'));
writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config, null, 2));
