import * as library from '@huggingface/tokenizers';
import type { TokenizerDefinition, TokenizerModel } from './definition.ts';

/** What we use of the library's tokenizer; its own declarations do not resolve under `nodenext`. */
export interface LibraryDecoding {
	decode(ids: number[], options: { skip_special_tokens: boolean }): string;
	id_to_token(id: number): string | undefined;
	readonly decoder: LibraryDecoder | null;
}

interface LibraryDecoder {
	decode_chain(tokens: string[]): string[];
	/** The parts of a sequence. */
	readonly decoders?: readonly LibraryDecoder[];
}

interface LibraryBpe {
	/** The tokens of words. */
	(words: readonly string[]): string[];
	readonly tokens_to_ids: ReadonlyMap<string, number>;
	cache: { get(): undefined; put(): void; clear(): void };
}

interface LibraryWordPiece {
	encode(words: readonly string[]): string[];
	readonly tokens_to_ids: ReadonlyMap<string, number>;
}

const { BPE, WordPiece, Tokenizer } = library as unknown as {
	BPE: new (model: object) => LibraryBpe;
	WordPiece: new (model: object) => LibraryWordPiece;
	Tokenizer: new (tokenizer: object, config: object) => LibraryDecoding;
};

/** Takes a word apart into tokens; gives their ids. Throws whatever the library throws. */
export function buildWordSplitter(model: TokenizerModel): (word: string) => number[] {
	if (model.type === 'BPE') return buildMerger(model);
	const pieces = new WordPiece(model);
	return (word) => pieces.encode([word]).map((token) => pieces.tokens_to_ids.get(token)!);
}

/** Merges the characters of a word. */
function buildMerger(model: TokenizerModel & { type: 'BPE' }): (word: string) => number[] {
	const bpe = new BPE({ ...model, ignore_merges: false });
	// ids are kept where words come in; the library's own cache keeps the order of use, which costs more than it saves
	bpe.cache = { get: () => undefined, put() {}, clear() {} };
	const idOf = bpe.tokens_to_ids;
	const isKnown = knownCharacters(model, idOf);
	return (word) => {
		const whole = model.ignore_merges ? idOf.get(word) : undefined;
		if (whole !== undefined) return [whole];
		// One word at a time: given several, the library joins unknown characters across words.
		const known = isKnown === undefined ? word : Array.from(word).filter(isKnown).join('');
		return bpe([known]).map((token) => idOf.get(token)!);
	};
}

/**
 * Which characters have a token, where there is no unknown token: the others are gone before anything is merged, so that
 * their neighbours may merge. Undefined where each character has one.
 */
function knownCharacters(model: TokenizerModel & { type: 'BPE' }, idOf: ReadonlyMap<string, number>) {
	if (typeof model.unk_token === 'string') return undefined;
	const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
	return (character: string) =>
		idOf.has(character) ||
		(model.byte_fallback === true && Buffer.from(character).every((byte) => idOf.has(byteToken(byte))));
}

/** Builds what turns ids into text, mended where it departs from the reference implementation. */
export function buildDecoding(definition: TokenizerDefinition): LibraryDecoding {
	const steps = { normalizer: null, pre_tokenizer: null, post_processor: null };
	const tokenizer = new Tokenizer({ ...definition, ...steps }, { clean_up_tokenization_spaces: false });
	mendDecoder(definition.decoder, tokenizer.decoder);
	return tokenizer;
}

function mendDecoder(definition: TokenizerDefinition['decoder'], built: LibraryDecoder | null): void {
	if (definition === null || built === null) return;
	if (definition.type === 'ByteFallback') built.decode_chain = decodeByteFallback;
	definition.decoders?.forEach((part, index) => {
		mendDecoder(part, built.decoders?.[index] ?? null);
	});
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Joins runs of tokens like `<0xE2>` to the text whose bytes they are; each byte of a run that is not UTF-8
 * becomes a replacement character. The library's version loses a byte-order mark.
 */
function decodeByteFallback(tokens: readonly string[]): string[] {
	const texts: string[] = [];
	let bytes: number[] = [];
	const flush = () => {
		if (bytes.length > 0) texts.push(decodeBytes(bytes));
		bytes = [];
	};
	for (const token of tokens) {
		const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
		if (byte !== undefined) {
			bytes.push(Number.parseInt(byte, 16));
			continue;
		}
		flush();
		texts.push(token);
	}
	flush();
	return texts;
}

function decodeBytes(bytes: readonly number[]): string {
	try {
		return utf8.decode(Uint8Array.from(bytes));
	} catch {
		return '\ufffd'.repeat(bytes.length);
	}
}
