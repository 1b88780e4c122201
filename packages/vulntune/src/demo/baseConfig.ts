/** Tokens of the demo base: enough that a generated function takes about 80 of them. */
export const demoVocabularySize = 2048;

/**
 * `config.json` of the demo base: Llama's layout at about 2.8 million parameters. The size follows from the
 * demo's time, not from quality: a QLoRA step costs about 4 operations per token and weight, so this shape can
 * see the training set some ten times in the two minutes that two slow cores have for it. Six layers rather than
 * two wide ones, because to tell whether the checked variable is the used one takes several steps of looking up.
 */
export const demoBaseConfig = {
	architectures: ['LlamaForCausalLM'],
	model_type: 'llama',
	vocab_size: demoVocabularySize,
	hidden_size: 192,
	intermediate_size: 512,
	num_hidden_layers: 6,
	num_attention_heads: 6,
	num_key_value_heads: 3,
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
