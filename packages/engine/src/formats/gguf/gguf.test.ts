import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { runsOf } from '../../../../../tests/nightly/nightly.ts';
import { VulntuneError } from '../../errors.ts';
import { damaged } from '../testing/damage.ts';
import { thrownBy } from '../testing/thrown-by.ts';
import { loadTokenizer } from '../tokenizer/load-tokenizer.ts';
import { readFloat32 } from '../weight-source.ts';
import { architectureNames } from './architecture.ts';
import type { GgufValue } from './metadata.ts';
import { configOf } from './model-config.ts';
import { ggufWeights } from './model-weights.ts';
import { openGguf } from './reader.ts';
import { counting, smallGguf } from './testing/small-gguf.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-gguf-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const target = path.join(scratch, 'model.gguf');

function open(bytes: Uint8Array) {
	writeFileSync(target, bytes);
	return openGguf(target);
}

function configFrom(
	other: Record<string, GgufValue | undefined>,
	besides = [] as ReturnType<typeof counting>[],
) {
	const file = open(smallGguf(other, besides));
	try {
		return configOf(file);
	} finally {
		file.close();
	}
}

describe('metadata', () => {
	test('has the values of every type', () => {
		const values = {
			text: 'é',
			flag: true,
			count: 7,
			large: 2n ** 63n,
			epsilon: 1e-6,
			third: 0.33333334, // of float32, in its shortest form
			words: ['a', ''],
			bytes: Uint8Array.of(1, 255),
			signed: Int16Array.of(-1),
			floats: Float32Array.of(0.5),
		};
		const file = open(smallGguf(values));
		for (const [key, value] of Object.entries(values)) expect(file.metadata.get(key), key).toEqual(value);
		file.close();
	});

	test('of megabytes is read, and a header beyond the limit refused', () => {
		const words = Array.from({ length: 300_000 }, (_, index) => `word ${index}`);
		const file = open(smallGguf({ words }));
		expect(file.metadata.get('words')).toEqual(words);
		expect(file.tensors.size).toBe(11);
		file.close();
		const error = thrownBy(() => open(smallGguf({ bytes: new Uint8Array(64_000_000) })));
		expect(error).toMatchObject({ code: 'GGUF_FORMAT', message: expect.stringContaining('limit') });
	});
});

describe('tensors', () => {
	test('have names, rows and values as in a Hugging Face checkpoint', () => {
		const weights = ggufWeights(
			open(smallGguf({}, [counting('blk.0.attn_q.bias', [8]), counting('other.weight', [2])])),
		);
		expect(weights.names).toContain('model.layers.0.self_attn.q_proj.weight');
		expect(weights.names.at(-1)).toBe('other.weight');
		expect(weights.info('model.layers.0.mlp.down_proj.weight')).toEqual({
			dtype: 'F32',
			shape: [8, 32],
			byteLength: 1024,
			stored: { type: 'Q8_0', byteLength: 8 * 34 },
		});
		const down = readFloat32(weights, 'model.layers.0.mlp.down_proj.weight'); // [8, 32]
		expect([...down]).toEqual(Array.from({ length: 256 }, (_, index) => Math.floor(index / 32)));
		// heads of 4 rows, of which the file has 0, 2, 1, 3 in this order
		const order = [0, 2, 1, 3, 4, 6, 5, 7];
		const firsts = (name: string) => readFloat32(weights, name).filter((_, index) => index % 8 === 0);
		expect([...firsts('model.layers.0.self_attn.q_proj.weight')]).toEqual(order.map((row) => 8 * row));
		expect([...firsts('model.layers.0.self_attn.k_proj.weight')]).toEqual([0, 16, 8, 24]);
		expect([...firsts('model.layers.0.self_attn.v_proj.weight')]).toEqual([0, 8, 16, 24]);
		expect([...readFloat32(weights, 'model.layers.0.self_attn.q_proj.bias')]).toEqual(order);
		weights.close();
	});

	test('under both names of one are refused', () => {
		const error = thrownBy(() => ggufWeights(open(smallGguf({}, [counting('model.norm.weight', [8])]))));
		expect(error).toMatchObject({ code: 'GGUF_FORMAT', message: expect.stringContaining('output_norm') });
	});

	test('are read in parts that are those of the whole', () => {
		const weights = ggufWeights(open(smallGguf({}, [counting('blk.0.attn_q.bias', [8])])));
		const names = [
			...[
				'self_attn.q_proj.weight',
				'self_attn.q_proj.bias',
				'mlp.down_proj.weight',
				'input_layernorm.weight',
			],
		].map((name) => `model.layers.0.${name}`);
		for (const name of names) {
			const whole = weights.read(name);
			for (const [from, length] of [
				[0, whole.length],
				[5, 20],
				[whole.length - 3, 3],
				[8, 0],
			] as const) {
				expect(weights.readPart(name, from, length), name).toEqual(whole.slice(from, from + length));
			}
			expect(() => weights.readPart(name, whole.length - 1, 2)).toThrow(RangeError);
		}
		weights.close();
		expect(thrownBy(() => weights.read(names[0]!)).code).toBe('GGUF_CLOSED');
	});

	test('of types that are not read are refused by name', () => {
		const tensor = { name: 'x', type: 23, dimensions: [256], data: new Uint8Array(136) };
		const error = thrownBy(() => open(smallGguf({}, [tensor])));
		expect(error).toMatchObject({ code: 'GGUF_UNSUPPORTED', place: `${target}: tensor "x"` });
		expect(error.message).toContain('IQ4_XS');
	});

	test('must be followed by nothing', () => {
		const error = thrownBy(() => open(Buffer.concat([smallGguf(), Buffer.alloc(32)])));
		expect(error).toMatchObject({ code: 'GGUF_FORMAT', message: expect.stringContaining('belong to none') });
	});
});

describe('the config', () => {
	test('is that of the same model in a Hugging Face folder', () => {
		expect(
			configFrom({ 'llama.rope.freq_base': 1e6, 'general.file_type': 7, 'quantize.imatrix.file': 'x' }),
		).toEqual({
			architectures: ['LlamaForCausalLM'],
			model_type: 'llama',
			hidden_act: 'silu',
			vocab_size: 3,
			max_position_embeddings: 64,
			hidden_size: 8,
			num_hidden_layers: 1,
			intermediate_size: 32,
			num_attention_heads: 2,
			num_key_value_heads: 1,
			rms_norm_eps: 1e-5,
			rope_theta: 1e6,
			tie_word_embeddings: true,
			bos_token_id: null,
			eos_token_id: 2,
			pad_token_id: null,
			attention_bias: false,
			mlp_bias: false,
		});
		expect(configFrom({ 'llama.rope.scale_linear': 4 })).toMatchObject({
			rope_scaling: { rope_type: 'linear', factor: 4 },
		});
		expect(configFrom({ 'llama.rope.scaling.factor': 4 })).toMatchObject({
			rope_scaling: { rope_type: 'linear', factor: 4 },
		});
		expect(
			configFrom({ 'llama.rope.scaling.factor': 4, 'llama.rope.scaling.type': 'none' }),
		).not.toHaveProperty('rope_scaling');
		expect(configFrom({ 'llama.attention.head_count_kv': undefined })).toMatchObject({
			num_key_value_heads: 2,
		});
		expect(configFrom({}, [counting('output.weight', [8, 3])])).toMatchObject({ tie_word_embeddings: false });
	});

	test.each<[string, Record<string, GgufValue | undefined>, string]>([
		[
			'general.architecture',
			{ 'general.architecture': 'mamba' },
			`${architectureNames.join(', ')} is expected`,
		],
		['general.architecture', { 'general.architecture': undefined }, 'found nothing'],
		['general.type', { 'general.type': 'adapter' }, '"adapter"'],
		['general.quantization_version', { 'general.quantization_version': 1 }, 'found 1'],
		['split.count', { 'split.count': 2 }, 'llama-gguf-split'],
		['llama.expert_count', { 'llama.expert_count': 8 }, 'found 8'],
		['llama.attention.scale', { 'llama.attention.scale': 0.5 }, 'may change what is computed'],
		['llama.attention.causal', { 'llama.attention.causal': false }, 'found false'],
		['qwen2.block_count', { 'qwen2.block_count': 1 }, 'may change what is computed'],
		['llama.rope.dimension_count', { 'llama.rope.dimension_count': 2 }, 'the size of a head (4)'],
		['llama.attention.value_length', { 'llama.attention.value_length': 8 }, 'the size of a head (4)'],
		['llama.rope.scaling.type', { 'llama.rope.scaling.type': 'yarn' }, '"yarn"'],
		['llama.feed_forward_length', { 'llama.feed_forward_length': Uint32Array.of(32) }, 'found a list'],
		[
			'llama.attention.layer_norm_rms_epsilon',
			{ 'llama.attention.layer_norm_rms_epsilon': undefined },
			'found nothing',
		],
		['llama.context_length', { 'llama.context_length': undefined }, 'found nothing'],
	])('refuses a value of %s that would be computed otherwise', (key, other, message) => {
		const error = thrownBy(() => configFrom(other));
		expect(error).toMatchObject({ code: 'GGUF_UNSUPPORTED', place: `${target}: ${key}` });
		expect(error.message).toContain(message);
	});

	test('refuses rotary factors that no known scaling gives, and a scaling beside them', () => {
		const both = thrownBy(() =>
			configFrom({ 'llama.rope.scaling.factor': 4 }, [counting('rope_freqs.weight', [2])]),
		);
		expect(both).toMatchObject({
			code: 'GGUF_UNSUPPORTED',
			place: `${target}: llama.rope.scaling.factor`,
		});
		const error = thrownBy(() => configFrom({}, [counting('rope_freqs.weight', [2])]));
		expect(error).toMatchObject({ code: 'GGUF_UNSUPPORTED', place: `${target}: tensor rope_freqs.weight` });
	});
});

test('a damaged file gives a typed error or is read, tokenizer and all, whatever was damaged', () => {
	let [refused, slowest] = [0, 0];
	const readAll = (copy: Uint8Array) => {
		const file = open(copy);
		try {
			const weights = ggufWeights(file);
			for (const name of weights.names)
				expect(weights.read(name).length).toBe(weights.info(name)!.byteLength);
			configOf(file);
			loadTokenizer(target).encode('abba');
		} finally {
			file.close();
		}
	};
	fc.assert(
		fc.property(damaged(smallGguf()), (copy) => {
			const started = performance.now();
			try {
				readAll(copy);
			} catch (error) {
				if (!(error instanceof VulntuneError)) throw error;
				refused++;
			}
			slowest = Math.max(slowest, performance.now() - started);
		}),
		runsOf({ suite: 2000, nightly: 100_000, seed: 5 }),
	);
	expect(refused).toBeGreaterThan(500);
	expect(slowest).toBeLessThan(1000);
});
