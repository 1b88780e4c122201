import { Tokenizer as ImportedTokenizer } from '@huggingface/tokenizers';
import { byteAlphabet } from '../tokenizer-training/byte-alphabet.ts';
import { createWordCache, type WordCache } from './word-cache.ts';

/** What we use of the library's tokenizer; its own declarations do not resolve under `nodenext`. */
export interface LibraryTokenizer {
	encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: (number | undefined)[] };
	decode(ids: number[], options: { skip_special_tokens: boolean }): string;
	token_to_id(token: string): number | undefined;
	id_to_token(id: number): string | undefined;
	readonly pre_tokenizer: LibraryPreTokenizer | null;
	readonly post_processor: {
		post_process(tokens: string[], pair: null, addSpecialTokens: boolean): { readonly tokens: string[] };
	} | null;
	readonly decoder: LibraryDecoder | null;
	readonly model: { cache: WordCache<readonly string[]> };
}

export interface LibraryPreTokenizer {
	pattern?: RegExp;
	/** Splits one piece of text into words. */
	pre_tokenize_text(text: string): string[];
	/** The parts of a sequence. */
	readonly tokenizers?: readonly (LibraryPreTokenizer | null)[];
}

export interface LibraryDecoder {
	decode_chain(tokens: string[]): string[];
	/** The parts of a sequence. */
	readonly decoders?: readonly LibraryDecoder[];
}

const LibraryClass: new (tokenizer: object, config: object) => LibraryTokenizer = ImportedTokenizer;

/**
 * Builds the library's tokenizer from a checked tokenizer.json and mends where it departs from the reference
 * implementation. Throws whatever the library throws.
 */
export function buildLibraryTokenizer(definition: TokenizerDefinition): LibraryTokenizer {
	const tokenizer = new LibraryClass(definition, { clean_up_tokenization_spaces: false });
	tokenizer.model.cache = createWordCache();
	mendPreTokenizer(definition.pre_tokenizer, tokenizer.pre_tokenizer);
	mendDecoder(definition.decoder, tokenizer.decoder);
	return tokenizer;
}

/** A checked tokenizer.json. */
export interface TokenizerDefinition {
	readonly model: { readonly type: string; readonly vocab: object };
	readonly added_tokens: readonly AddedToken[];
	readonly normalizer: Component | null;
	readonly pre_tokenizer: Component | null;
	readonly post_processor: Component | null;
	readonly decoder: Component | null;
}

export interface AddedToken {
	readonly id: number;
	readonly content: string;
	readonly special: boolean;
}

/** A step of the tokenizer; a sequence of steps holds them under one of the three names. */
export interface Component {
	readonly type: string;
	readonly individual_digits?: unknown;
	readonly add_prefix_space?: unknown;
	readonly use_regex?: unknown;
	readonly normalizers?: readonly (Component | null)[];
	readonly pretokenizers?: readonly (Component | null)[];
	readonly decoders?: readonly (Component | null)[];
	readonly processors?: readonly (Component | null)[];
}

/** GPT-2's splitting, with Unicode's white space: JavaScript's `\s` lacks U+0085 and has U+FEFF. */
const byteLevelPattern =
	/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Digits are all of Unicode's numeric characters, of which JavaScript's `\d` has ten. */
const singleDigitsPattern = /\P{N}+|\p{N}/gu;
const digitRunsPattern = /\P{N}+|\p{N}+/gu;

function mendPreTokenizer(definition: Component | null, built: LibraryPreTokenizer | null): void {
	if (definition === null || built === null) return;
	if (definition.type === 'ByteLevel') mendByteLevel(definition, built);
	if (definition.type === 'Digits') {
		built.pattern = definition.individual_digits ? singleDigitsPattern : digitRunsPattern;
	}
	definition.pretokenizers?.forEach((part, index) => {
		mendPreTokenizer(part, built.tokenizers?.[index] ?? null);
	});
}

/**
 * Splits like the library, by the mended pattern, and remembers the byte-level spelling of each word, which
 * is most of the work: source code repeats its words.
 */
function mendByteLevel(definition: Component, built: LibraryPreTokenizer): void {
	const spellings = createWordCache<string>();
	const spell = (word: string) => {
		const known = spellings.get(word);
		if (known !== undefined) return known;
		let spelling = '';
		for (const byte of Buffer.from(word)) spelling += byteAlphabet[byte];
		spellings.put(word, spelling);
		return spelling;
	};
	built.pre_tokenize_text = (text) => {
		const prefixed = definition.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
		const words = (definition.use_regex ?? true) ? (prefixed.match(byteLevelPattern) ?? []) : [prefixed];
		return words.map(spell);
	};
}

function mendDecoder(definition: Component | null, built: LibraryDecoder | null): void {
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
