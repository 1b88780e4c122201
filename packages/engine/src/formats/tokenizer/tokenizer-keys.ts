import { keyTable } from '../known-keys.ts';

/**
 * The keys of tokenizer.json. How long a text may be is `sequence.length`, and nothing here pads, so that `truncation` and
 * `padding` change nothing (transformers switches both off for a call that asks for neither).
 */
export const tokenizerKeys = keyTable({
	used: ['model', 'added_tokens', 'normalizer', 'pre_tokenizer', 'post_processor', 'decoder'],
	neutral: ['version', 'truncation', 'padding'],
});

/** The keys of its BPE model. */
export const modelKeys = keyTable({
	used: ['type', 'vocab', 'merges', 'unk_token', 'fuse_unk', 'byte_fallback', 'ignore_merges'],
	neutral: [],
	off: ['continuing_subword_prefix', 'end_of_word_suffix'],
	// with dropout one text has other tokens each time
	only: { dropout: [0] },
});

/** The keys of its WordPiece model. */
export const wordPieceKeys = keyTable({
	used: ['type', 'vocab', 'unk_token', 'continuing_subword_prefix', 'max_input_chars_per_word'],
	neutral: [],
});

/** The keys of an added token. */
export const addedTokenKeys = keyTable({
	used: ['id', 'content', 'special', 'normalized', 'lstrip', 'rstrip', 'single_word'],
	neutral: ['__type'],
});

/**
 * The keys of tokenizer_config.json. Keys that end in `_token`, `_tokens` or `_token_id` name special tokens: the end token
 * is used, the others change nothing, since texts are read as plain text and nothing is put around them.
 */
export const tokenizerConfigKeys = keyTable({
	// transformers writes the last three over those of a BertNormalizer
	used: [
		...['added_tokens_decoder', 'add_prefix_space', 'do_lower_case', 'strip_accents'],
		'tokenize_chinese_chars',
	],
	neutral: [
		...[
			'_commit_hash',
			'add_bos_token',
			'add_eos_token',
			'backend',
			'chat_template',
			'is_local',
			'name_or_path',
		],
		...['clean_up_tokenization_spaces', 'errors', 'from_slow', 'legacy', 'local_files_only', 'max_length'],
		...['model_input_names', 'model_max_length', 'pad_to_multiple_of', 'pad_token_type_id', 'padding_side'],
		...['processor_class', 'response_schema', 'sp_model_kwargs', 'spaces_between_special_tokens', 'stride'],
		...[
			'special_tokens_map_file',
			'tokenizer_class',
			'tokenizer_file',
			'truncation_side',
			'truncation_strategy',
		],
		...['trust_remote_code', 'unk_id', 'use_default_system_prompt', 'use_fast', 'vocab_file', 'merges_file'],
		...['additional_special_tokens', 'model_specific_special_tokens', 'max_len', 'vocab_size'],
	],
	off: ['auto_map', 'do_lowercase_and_remove_accent', 'never_split', 'remove_space'],
	only: { do_basic_tokenize: [true] },
});

/** The keys of special_tokens_map.json, besides those of tokens. */
export const specialTokensMapKeys = keyTable({ used: [], neutral: [] });

/** The steps that there are, by what they are for, with the keys of each. */
export const stepKeys = {
	normalizer: {
		Sequence: step(['normalizers']),
		BertNormalizer: step(['clean_text', 'handle_chinese_chars', 'strip_accents', 'lowercase']),
		NFC: step([]),
		NFD: step([]),
		NFKC: step([]),
		NFKD: step([]),
		Lowercase: step([]),
		Prepend: step(['prepend']),
		Replace: step(['pattern', 'content']),
		Strip: step(['strip_left', 'strip_right']),
		StripAccents: step([]),
	},
	pre_tokenizer: {
		Sequence: step(['pretokenizers']),
		BertPreTokenizer: step([]),
		ByteLevel: step(['add_prefix_space', 'use_regex'], ['trim_offsets']),
		Digits: step(['individual_digits']),
		Metaspace: step(['replacement', 'prepend_scheme', 'add_prefix_space', 'split'], ['str_rep']),
		Punctuation: step(['behavior']),
		Split: step(['pattern', 'behavior', 'invert']),
		Whitespace: step([]),
		WhitespaceSplit: step([]),
	},
	post_processor: {
		Sequence: step(['processors']),
		BertProcessing: step(['sep', 'cls']),
		ByteLevel: step([], ['add_prefix_space', 'trim_offsets', 'use_regex']),
		RobertaProcessing: step(['sep', 'cls'], ['add_prefix_space', 'trim_offsets']),
		TemplateProcessing: step(['single', 'special_tokens'], ['pair']),
	},
} as const;

function step(used: readonly string[], neutral: readonly string[] = []) {
	return keyTable({ used: ['type', ...used], neutral });
}
