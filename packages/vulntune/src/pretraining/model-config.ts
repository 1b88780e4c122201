import { type ModelConfig, parseModelConfig, type Tokenizer } from '@vulntune/engine';
import type { PretrainConfig } from './config-schema.ts';

/** `config.json` of the model that a config describes, as Hugging Face's libraries read it. */
export function modelConfigJson(
	{ model }: Pick<PretrainConfig, 'model'>,
	tokenizer: Pick<Tokenizer, 'bosTokenId' | 'padTokenId'>,
	separator: number,
): object {
	return {
		architectures: ['LlamaForCausalLM'],
		model_type: 'llama',
		vocab_size: model.vocabularySize,
		hidden_size: model.hiddenSize,
		intermediate_size: model.intermediateSize,
		num_hidden_layers: model.layers,
		num_attention_heads: model.heads,
		num_key_value_heads: model.keyValueHeads,
		head_dim: model.hiddenSize / model.heads,
		max_position_embeddings: model.maxPositions,
		rope_theta: model.ropeTheta,
		rope_scaling: null,
		rms_norm_eps: 1e-5,
		hidden_act: 'silu',
		attention_bias: false,
		mlp_bias: false,
		tie_word_embeddings: model.tieWordEmbeddings,
		initializer_range: 0.02,
		bos_token_id: tokenizer.bosTokenId ?? separator,
		eos_token_id: separator,
		pad_token_id: tokenizer.padTokenId ?? separator,
		torch_dtype: model.storage === 'bf16' ? 'bfloat16' : 'float32',
	};
}

/** The same as the engine takes it. */
export function toModelConfig(json: object): ModelConfig {
	return parseModelConfig(json, 'config.json');
}
