/**
 * Keys of config.json that change nothing that is computed here, in any family: what a file is called and who wrote it,
 * labels and heads of tasks, what a call gives back, how kernels are chosen, how the base itself was trained or how it
 * generates text. transformers 5 leaves most of them out of a model's forward pass too.
 */
export const neutralConfigKeys: readonly string[] = [
	...['_name_or_path', 'name_or_path', '_commit_hash', 'transformers_version', 'transformers.js_config'],
	...['architectures', 'tokenizer_class', 'prefix', 'unsloth_fixed', 'unsloth_version', 'is_llama_config'],
	// tasks
	...['id2label', 'label2id', 'num_labels', 'problem_type', 'finetuning_task', 'task_specific_params'],
	...['classifier_dropout', 'sep_token_id', 'cls_token_id', 'mask_token_id', 'unk_token_id'],
	...['decoder_start_token_id', 'is_decoder'],
	// what a call gives back
	...[
		'return_dict',
		'output_hidden_states',
		'output_attentions',
		'output_scores',
		'use_cache',
		'torchscript',
	],
	// how it is computed: the same numbers up to rounding
	...['attn_implementation', '_attn_implementation', '_attn_implementation_autoset', '_flash_attn_2_enabled'],
	...[
		'chunk_size_feed_forward',
		'pretraining_tp',
		'use_bfloat16',
		'tf_legacy_loss',
		'gradient_checkpointing',
	],
	// how the base was trained; dropout of a detector's own training is method.dropout
	...['attention_dropout', 'initializer_range', 'max_sequence_length'],
	// how it generates text
	...[
		'max_length',
		'max_new_tokens',
		'min_length',
		'do_sample',
		'early_stopping',
		'num_beams',
		'temperature',
	],
	...['top_k', 'top_p', 'typical_p', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
	...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'return_dict_in_generate'],
	...['forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values', 'suppress_tokens'],
	...['exponential_decay_length_penalty', 'begin_suppress_tokens', 'epsilon_cutoff', 'eta_cutoff'],
	...['encoder_repetition_penalty', 'num_beam_groups', 'diversity_penalty', 'num_assistant_tokens'],
	...[
		'num_assistant_tokens_schedule',
		'assistant_confidence_threshold',
		'assistant_lookbehind',
		'target_lookbehind',
	],
];

/** What `parseVocabulary` reads, with the type of the model itself and its quantisation. */
export const vocabularyConfigKeys: readonly string[] = [
	...['model_type', 'vocab_size', 'dtype', 'torch_dtype', 'quantization_config'],
	...['bos_token_id', 'eos_token_id', 'pad_token_id'],
];

/** What `parseCommon` reads. */
export const commonConfigKeys: readonly string[] = [
	...vocabularyConfigKeys,
	...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
	...['num_key_value_heads', 'head_dim', 'tie_word_embeddings'],
];

/** Keys that would change what any model computes and that no family has: refused unless they are off. */
export const foreignConfigKeys: readonly string[] = [
	...['add_cross_attention', 'auto_map', 'compression_config', 'is_encoder_decoder', 'per_layer_config'],
	...['pruned_heads', 'quantization', 'rope_interleaved', 'tie_encoder_decoder', 'transformers_weights'],
];
