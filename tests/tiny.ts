import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
	elements,
	expectedTensors,
	hashStream,
	normalArray,
	parseModelConfig,
	writeSafetensors,
} from '@vulntune/engine';
import { loadNative } from '@vulntune/engine/backends/cpu/native.ts';
import { trainTokenizer } from '@vulntune/engine/formats/tokenizer-training/train-tokenizer.ts';
import { writeTokenizer } from '@vulntune/engine/formats/tokenizer-training/write-tokenizer.ts';
import { afterAll } from 'vitest';
import { type Config, resolveConfig } from 'vulntune';

/** Where whole runs are tested: on the native kernels where they are built, else in WebAssembly; VULNTUNE_TEST_BACKEND decides otherwise. */
export const testBackend =
	process.env.VULNTUNE_TEST_BACKEND ?? (loadNative().addon === undefined ? 'wasm' : 'cpu');

/** A folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-'));
	afterAll(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

const functions = [
	'void copy(String a) { if (a == null) return; use(a); }',
	'int read(byte[] data, int i) { if (i < data.length) return data[i]; return 0; }',
	'String query(String name) { return run("select * from t where name = " + name); }',
	'void close(Stream s) { try { s.close(); } catch (IOException e) { log(e); } }',
];

const vocabulary = { vocab_size: 304, bos_token_id: 0, eos_token_id: 0, torch_dtype: 'float32' };

const encoder = {
	...vocabulary,
	pad_token_id: 1,
	hidden_size: 32,
	intermediate_size: 64,
	num_hidden_layers: 2,
	num_attention_heads: 4,
	type_vocab_size: 2,
	layer_norm_eps: 1e-5,
	hidden_act: 'gelu',
} as const;

const decoderShape = {
	...vocabulary,
	hidden_size: 32,
	intermediate_size: 64,
	num_hidden_layers: 2,
	num_attention_heads: 4,
	num_key_value_heads: 2,
	max_position_embeddings: 128,
	tie_word_embeddings: true,
};

/** config.json of models of a few thousand weights, by family; windows are shorter than the functions. */
export const tinyShapes = {
	llama: {
		architectures: ['LlamaForCausalLM'],
		model_type: 'llama',
		...decoderShape,
		max_position_embeddings: 65_536,
		rope_theta: 10_000,
		rms_norm_eps: 1e-5,
		hidden_act: 'silu',
	},
	mistral: {
		...decoderShape,
		architectures: ['MistralForCausalLM'],
		model_type: 'mistral',
		sliding_window: 12,
	},
	qwen2: { ...decoderShape, architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2' },
	qwen3: {
		...decoderShape,
		architectures: ['Qwen3ForCausalLM'],
		model_type: 'qwen3',
		head_dim: 6,
		use_sliding_window: true,
		sliding_window: 12,
		max_window_layers: 1,
	},
	starcoder2: {
		...decoderShape,
		architectures: ['Starcoder2ForCausalLM'],
		model_type: 'starcoder2',
		hidden_act: 'gelu_pytorch_tanh',
		sliding_window: 12,
	},
	gptNeox: {
		architectures: ['GPTNeoXForCausalLM'],
		model_type: 'gpt_neox',
		...vocabulary,
		hidden_size: 32,
		intermediate_size: 64,
		num_hidden_layers: 2,
		num_attention_heads: 4,
		max_position_embeddings: 128,
		rotary_pct: 0.25,
	},
	gptBigCode: {
		architectures: ['GPTBigCodeForCausalLM'],
		model_type: 'gpt_bigcode',
		...vocabulary,
		n_embd: 32,
		n_head: 4,
		n_layer: 2,
		n_positions: 128,
		activation_function: 'gelu_pytorch_tanh',
		multi_query: true,
	},
	roberta: {
		...encoder,
		architectures: ['RobertaModel'],
		model_type: 'roberta',
		max_position_embeddings: 130,
		type_vocab_size: 1,
	},
	bert: { ...encoder, architectures: ['BertModel'], model_type: 'bert', max_position_embeddings: 128 },
	modernBert: {
		...vocabulary,
		architectures: ['ModernBertModel'],
		pad_token_id: 1,
		hidden_size: 32,
		intermediate_size: 48,
		num_attention_heads: 4,
		model_type: 'modernbert',
		num_hidden_layers: 3,
		hidden_activation: 'gelu',
		max_position_embeddings: 128,
		local_attention: 16,
		global_attn_every_n_layers: 2,
	},
} as const;

/** Writes a random model of a few thousand weights with a tokenizer: nothing that knows anything, and quick. */
export function writeTinyModel(
	folder: string,
	json: { readonly architectures: readonly string[] } = tinyShapes.llama,
): string {
	mkdirSync(folder, { recursive: true });
	const tokenizer = trainTokenizer(functions, { vocabularySize: 300 });
	writeTokenizer(folder, tokenizer);
	writeFileSync(path.join(folder, 'config.json'), JSON.stringify(json));
	const entries = expectedTensors(parseModelConfig(json, 'config.json')).map(({ name, shape, kind }) => {
		const values = normalArray(1, hashStream(name), elements(shape), kind === 'norm' ? 0.1 : 0.2);
		if (kind === 'norm') for (const [i, value] of values.entries()) values[i] = value + 1;
		return { name, dtype: 'F32' as const, shape, data: new Uint8Array(values.buffer) };
	});
	writeSafetensors(path.join(folder, 'model.safetensors'), entries, { format: 'pt' });
	return folder;
}

/** A small dataset in which the label can be told from the text. */
export function writeTinyDataset(folder: string, sizes = { train: 24, valid: 10, test: 10 }): string {
	mkdirSync(folder, { recursive: true });
	let idx = 0;
	for (const [split, size] of Object.entries(sizes)) {
		const rows = Array.from({ length: size }, (_, i) => {
			const label = i % 2;
			const body = functions[(i >> 1) % functions.length]!;
			const code =
				label === 1 ? body.replace('{', `{ unchecked(${i});`) : body.replace('{', `{ check(${i});`);
			const status = label === 1 ? 'VULNERABLE' : 'FIXED';
			return { idx: idx++, code, target: label, status, commit: `${split}${i >> 1}`, cwe: 'CWE-20' };
		});
		writeFileSync(
			path.join(folder, `${split}.jsonl`),
			`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`,
		);
	}
	return folder;
}

/** A config for the tiny model on the reference backend, with single options replaced: `{'training.epochs': '3'}`. */
export function tinyConfig(
	folders: { readonly model: string; readonly data: string; readonly output: string },
	overrides: Readonly<Record<string, string>> = {},
): Config {
	const value = {
		model: folders.model,
		data: { path: folders.data },
		method: { type: 'lora', base: 'fp32', rank: 2, alpha: 4, dropout: 0.1 },
		sequence: { length: 96, largeFunctions: 'truncate' },
		training: { epochs: 2, learningRate: 0.01, accumulation: 3, precision: 'fp32', checkpointEverySteps: 1 },
		backend: 'reference',
		output: folders.output,
	};
	return resolveConfig(value, { place: 'test', folder: '/', overrides });
}
