/** Tokens of the demo base: enough that a generated function takes about 80 of them. */
export const demoVocabularySize = 1024;

/**
 * `config.json` of the demo base: Llama's layout at about 1.4 million parameters. The size follows from the time
 * that two slow cores have: a QLoRA step costs about 4 operations per token and weight, a pretraining step 6, and
 * at this scale a base gains more from further tokens than from further weights. Six narrow layers rather than
 * few wide ones, because relating a use to its check takes several steps of looking up.
 */
export const demoBaseConfig = {
	architectures: ['LlamaForCausalLM'],
	model_type: 'llama',
	vocab_size: demoVocabularySize,
	hidden_size: 128,
	intermediate_size: 384,
	num_hidden_layers: 6,
	num_attention_heads: 4,
	num_key_value_heads: 4,
	head_dim: 32,
	max_position_embeddings: 512,
	rope_theta: 10_000,
	rope_scaling: null,
	rms_norm_eps: 1e-5,
	hidden_act: 'silu',
	attention_bias: false,
	mlp_bias: false,
	tie_word_embeddings: true,
	initializer_range: 0.02,
	bos_token_id: 0,
	eos_token_id: 0,
	pad_token_id: 0,
	torch_dtype: 'bfloat16',
} as const;
