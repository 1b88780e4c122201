import { type KeyTable, keyTable } from '../known-keys.ts';

/** How models of one architecture are named in GGUF files, and how in Hugging Face's. */
export interface GgufArchitecture {
	/** `general.architecture`. */
	readonly name: string;
	/** `model_type` of config.json. */
	readonly modelType: string;
	/** The class that transformers opens it with. */
	readonly className: string;
	/** Keys of the metadata after `<name>.`, of which those that `config` doesn't name are used by `model-config.ts` alone. */
	readonly keys: KeyTable;
	/** Keys of the metadata (after `<name>.`) by the key of config.json that holds the same. */
	readonly config: Readonly<Record<string, string>>;
	/** Keys of config.json that GGUF files don't hold, because all models of the architecture have them alike. */
	readonly constants: Readonly<Record<string, unknown>>;
	/** Names of tensors outside the blocks, without `.weight` or `.bias`. */
	readonly tensors: Readonly<Record<string, string>>;
	/** Hugging Face's name of a block, of which `blk.<index>` is the one here. */
	readonly block: string;
	/** Names inside a block. */
	readonly blockTensors: Readonly<Record<string, string>>;
	/** Whether rows of q and k are stored pair by pair (see `interleavedRow`). */
	readonly interleavedHeads: boolean;
}

const sizes = {
	max_position_embeddings: 'context_length',
	hidden_size: 'embedding_length',
	intermediate_size: 'feed_forward_length',
	num_hidden_layers: 'block_count',
	num_attention_heads: 'attention.head_count',
	num_key_value_heads: 'attention.head_count_kv',
	head_dim: 'attention.key_length',
	rope_theta: 'rope.freq_base',
	vocab_size: 'vocab_size',
};
/** Those that llama.cpp has a default for, which is also that of config.json or is given. */
export const optionalKeys: readonly string[] = [
	...['attention.head_count_kv', 'attention.key_length', 'rope.freq_base', 'vocab_size'],
];
const rms = { rms_norm_eps: 'attention.layer_norm_rms_epsilon' };

const rotaryKeys = [
	'attention.value_length',
	'rope.dimension_count',
	'rope.scaling.type',
	'rope.scaling.factor',
	'rope.scale_linear',
];

function keysOf(config: Readonly<Record<string, string>>, rotary = rotaryKeys): KeyTable {
	return keyTable({
		used: [...Object.values(config), ...rotary],
		// what a factor that stands beside them was chosen by
		// and how states become an embedding
		neutral: ['rope.scaling.finetuned', 'rope.scaling.original_context_length', 'pooling_type'],
		only: {
			'attention.causal': [true],
			expert_count: [0],
			expert_used_count: [0],
			'rope.scaling.attn_factor': [1],
		},
	});
}

const gatedBlock = {
	attn_norm: 'input_layernorm',
	attn_q: 'self_attn.q_proj',
	attn_k: 'self_attn.k_proj',
	attn_v: 'self_attn.v_proj',
	attn_output: 'self_attn.o_proj',
	ffn_norm: 'post_attention_layernorm',
	ffn_gate: 'mlp.gate_proj',
	ffn_up: 'mlp.up_proj',
	ffn_down: 'mlp.down_proj',
};
const llamaTensors = { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head' };
const gated = {
	config: { ...sizes, ...rms },
	keys: keysOf({ ...sizes, ...rms }),
	tensors: llamaTensors,
	block: 'model.layers',
	blockTensors: gatedBlock,
	interleavedHeads: false,
};

const starcoder2Config = { ...sizes, norm_epsilon: 'attention.layer_norm_epsilon' };

const { rope_theta: _, head_dim: __, ...unrotated } = sizes;
const starcoderConfig = {
	n_positions: unrotated.max_position_embeddings,
	n_embd: unrotated.hidden_size,
	n_inner: unrotated.intermediate_size,
	n_layer: unrotated.num_hidden_layers,
	n_head: unrotated.num_attention_heads,
	num_key_value_heads: unrotated.num_key_value_heads,
	vocab_size: unrotated.vocab_size,
	layer_norm_epsilon: 'attention.layer_norm_epsilon',
};

const architectures: readonly GgufArchitecture[] = [
	{
		...gated,
		name: 'llama', // Mistral too
		modelType: 'llama',
		className: 'LlamaForCausalLM',
		constants: { hidden_act: 'silu' },
		interleavedHeads: true,
	},
	{
		...gated,
		name: 'qwen2',
		modelType: 'qwen2',
		className: 'Qwen2ForCausalLM',
		constants: { hidden_act: 'silu', use_sliding_window: false },
	},
	{
		...gated,
		name: 'qwen3',
		modelType: 'qwen3',
		className: 'Qwen3ForCausalLM',
		constants: { hidden_act: 'silu', use_sliding_window: false, attention_bias: false },
		blockTensors: { ...gatedBlock, attn_q_norm: 'self_attn.q_norm', attn_k_norm: 'self_attn.k_norm' },
	},
	{
		...gated,
		name: 'starcoder2',
		modelType: 'starcoder2',
		className: 'Starcoder2ForCausalLM',
		config: starcoder2Config,
		keys: keysOf(starcoder2Config),
		// llama.cpp computes no window and writes none; every published StarCoder2 was trained with this one
		constants: { hidden_act: 'gelu_pytorch_tanh', use_bias: true, sliding_window: 4096 },
		blockTensors: {
			...gatedBlock,
			ffn_up: 'mlp.c_fc',
			ffn_down: 'mlp.c_proj',
		},
	},
	{
		name: 'starcoder',
		modelType: 'gpt_bigcode',
		className: 'GPTBigCodeForCausalLM',
		config: starcoderConfig,
		keys: keysOf(starcoderConfig, []),
		constants: { activation_function: 'gelu_pytorch_tanh', multi_query: true, scale_attn_weights: true },
		tensors: {
			token_embd: 'transformer.wte',
			position_embd: 'transformer.wpe',
			output_norm: 'transformer.ln_f',
			output: 'lm_head',
		},
		block: 'transformer.h',
		blockTensors: {
			attn_norm: 'ln_1',
			attn_qkv: 'attn.c_attn',
			attn_output: 'attn.c_proj',
			ffn_norm: 'ln_2',
			ffn_up: 'mlp.c_fc',
			ffn_down: 'mlp.c_proj',
		},
		interleavedHeads: false,
	},
];

/** undefined for an architecture that isn't known. */
export function findArchitecture(name: string): GgufArchitecture | undefined {
	return architectures.find((architecture) => architecture.name === name);
}

export const architectureNames: readonly string[] = architectures.map(({ name }) => name);

/** The architecture that a model type is written in; undefined where there is none. */
export function architectureFor(modelType: string): GgufArchitecture | undefined {
	const name = modelType === 'mistral' ? 'llama' : modelType;
	return architectures.find((architecture) => architecture.modelType === name);
}

/** The name here of a tensor of Hugging Face's; undefined where the architecture has no such tensor. */
export function ggufName(
	{ tensors, block, blockTensors }: GgufArchitecture,
	name: string,
): string | undefined {
	const kind = name.slice(name.lastIndexOf('.'));
	const stem = name.slice(0, -kind.length);
	const partOf = (names: Readonly<Record<string, string>>, own: string) =>
		Object.entries(names).find(([, candidate]) => candidate === own)?.[0];
	if (!stem.startsWith(`${block}.`)) {
		const part = partOf(tensors, stem);
		return part === undefined ? undefined : `${part}${kind}`;
	}
	const [index, ...rest] = stem.slice(block.length + 1).split('.');
	const part = partOf(blockTensors, rest.join('.'));
	return part === undefined ? undefined : `blk.${index}.${part}${kind}`;
}

/** Hugging Face's name of a tensor; undefined where the architecture has no such tensor. */
export function huggingFaceName(
	{ tensors, block, blockTensors }: GgufArchitecture,
	name: string,
): string | undefined {
	const [, index, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
	const names = index === undefined ? tensors : blockTensors;
	if (part === undefined || !Object.hasOwn(names, part)) return undefined;
	const own = names[part]!;
	return index === undefined ? `${own}.${kind}` : `${block}.${index}.${own}.${kind}`;
}
