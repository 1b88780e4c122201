export interface EncodeOptions {
	/** Puts the tokens around the text that the tokenizer's template names (`<s>` in front, for Llama). */
	readonly addSpecialTokens?: boolean;
	/**
	 * Reads `<|endoftext|>` written in the text as plain text. The default, because in source code it is a
	 * literal, and as a token it would end the function in the middle.
	 */
	readonly specialTokensAsText?: boolean;
}

export interface DecodeOptions {
	readonly skipSpecialTokens?: boolean;
}

/** Text to token ids and back, exactly as the model was trained with. */
export interface Tokenizer {
	/** The file it was read from. */
	readonly place: string;
	/** [tokens]. By default no token is added, and special tokens written in the text are plain text. */
	encode(text: string, options?: EncodeOptions): Int32Array<ArrayBuffer>;
	/** Ids that the tokenizer does not have are left out, as the reference implementation does. */
	decode(ids: Iterable<number>, options?: DecodeOptions): string;
	/** One more than the largest id. */
	readonly vocabularySize: number;
	/** One more than the largest id that a text can become where special tokens are read as text. */
	readonly textVocabularySize: number;
	readonly bosTokenId: number | undefined;
	readonly eosTokenId: number | undefined;
	readonly padTokenId: number | undefined;
	/** What closes a text among others in one sequence: the end token, else the one that separates. */
	readonly separatorId: number | undefined;
	/** The ids that `skipSpecialTokens` leaves out. */
	readonly specialTokenIds: ReadonlySet<number>;
	/** Hexadecimal; two tokenizers with the same hash give the same ids for every text. */
	readonly hash: string;
}
