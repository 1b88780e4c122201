/** A parsed file with its path. */
export interface NamedJson {
	readonly json: object;
	readonly place: string;
}

/** The files of a tokenizer, parsed. */
export interface TokenizerFiles {
	/** The bytes of tokenizer.json, for the hash. */
	readonly bytes: Uint8Array;
	readonly json: object;
	readonly place: string;
	/** tokenizer_config.json, special_tokens_map.json and added_tokens.json, as far as they are there. */
	readonly config?: NamedJson | undefined;
	readonly specialTokensMap?: NamedJson | undefined;
	readonly addedTokens?: NamedJson | undefined;
}
