import type { GgufValue } from '../metadata.ts';
import { ggufBytes, type TestTensor } from './write-gguf.ts';

/** Metadata of a Llama of one block with a tokenizer of three tokens. */
export const smallMetadata: Readonly<Record<string, GgufValue>> = {
	'general.architecture': 'llama',
	'general.name': 'small',
	'llama.context_length': 64,
	'llama.embedding_length': 8,
	'llama.block_count': 1,
	'llama.feed_forward_length': 32,
	'llama.attention.head_count': 2,
	'llama.attention.head_count_kv': 1,
	'llama.attention.layer_norm_rms_epsilon': 1e-5,
	'llama.rope.dimension_count': 4,
	'tokenizer.ggml.model': 'gpt2',
	'tokenizer.ggml.pre': 'gpt-2',
	'tokenizer.ggml.tokens': ['a', 'b', '<end>'],
	'tokenizer.ggml.token_type': Int32Array.of(1, 1, 3),
	'tokenizer.ggml.merges': [],
	'tokenizer.ggml.eos_token_id': 2,
};

/** Its tensors: values count up from 0 in each, so that a row tells its place. ffn_down is in Q8_0, of which all codes are 1. */
export const smallTensors: readonly TestTensor[] = [
	counting('token_embd.weight', [8, 3]),
	counting('blk.0.attn_norm.weight', [8]),
	counting('blk.0.attn_q.weight', [8, 8]),
	counting('blk.0.attn_k.weight', [8, 4]),
	counting('blk.0.attn_v.weight', [8, 4]),
	counting('blk.0.attn_output.weight', [8, 8]),
	counting('blk.0.ffn_norm.weight', [8]),
	counting('blk.0.ffn_gate.weight', [8, 32]),
	counting('blk.0.ffn_up.weight', [8, 32]),
	{
		name: 'blk.0.ffn_down.weight',
		type: 8,
		dimensions: [32, 8],
		data: Buffer.concat(Array.from({ length: 8 }, (_, row) => q80Block(row))),
	},
	counting('output_norm.weight', [8]),
];

/** The bytes of the file, with some of its metadata otherwise (undefined leaves a key out), and tensors besides. */
export function smallGguf(
	other: Readonly<Record<string, GgufValue | undefined>> = {},
	besides: readonly TestTensor[] = [],
): Buffer {
	const changed = Object.entries({ ...smallMetadata, ...other }).filter(([, value]) => value !== undefined);
	return ggufBytes(Object.fromEntries(changed) as Record<string, GgufValue>, [...smallTensors, ...besides]);
}

export function counting(name: string, dimensions: readonly number[]): TestTensor {
	const elements = dimensions.reduce((product, size) => product * size, 1);
	return {
		name,
		type: 0,
		dimensions,
		data: Buffer.from(Float32Array.from({ length: elements }, (_, i) => i).buffer),
	};
}

/** 32 codes of 1 at this scale. */
function q80Block(scale: number): Buffer {
	return Buffer.concat([Buffer.from(Float16Array.of(scale).buffer), Buffer.alloc(32, 1)]);
}
