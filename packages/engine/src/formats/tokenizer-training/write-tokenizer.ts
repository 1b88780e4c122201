import path from 'node:path';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { endOfText, type TrainedTokenizer } from './train-tokenizer.ts';

/** The content of `tokenizer.json`, as Hugging Face's libraries read it. */
export function tokenizerJson({ vocabulary, merges }: TrainedTokenizer): object {
	const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
	return {
		version: '1.0',
		truncation: null,
		padding: null,
		added_tokens: [
			{
				id: 0,
				content: endOfText,
				single_word: false,
				lstrip: false,
				rstrip: false,
				normalized: false,
				special: true,
			},
		],
		normalizer: null,
		pre_tokenizer: {
			type: 'Sequence',
			pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel],
		},
		post_processor: null,
		decoder: { ...byteLevel, add_prefix_space: true },
		model: {
			type: 'BPE',
			dropout: null,
			unk_token: null,
			continuing_subword_prefix: null,
			end_of_word_suffix: null,
			fuse_unk: false,
			byte_fallback: false,
			ignore_merges: false,
			vocab: Object.fromEntries(vocabulary),
			merges,
		},
	};
}

/** The content of `tokenizer_config.json`. */
export function tokenizerConfigJson(): object {
	return {
		tokenizer_class: 'PreTrainedTokenizerFast',
		bos_token: endOfText,
		eos_token: endOfText,
		pad_token: endOfText,
		unk_token: endOfText,
		clean_up_tokenization_spaces: false,
	};
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into a folder, which is made if need be. */
export function writeTokenizer(folder: string, tokenizer: TrainedTokenizer): void {
	makeFolder(folder);
	for (const [name, bytes] of tokenizerFiles(tokenizer)) {
		writeFileAtomically(path.join(folder, name), (append) => append(bytes));
	}
}

/** The files of a tokenizer: name → content. */
export function tokenizerFiles(tokenizer: TrainedTokenizer): ReadonlyMap<string, Uint8Array> {
	return new Map([
		['tokenizer.json', jsonBytes(tokenizerJson(tokenizer))],
		['tokenizer_config.json', jsonBytes(tokenizerConfigJson())],
	]);
}

function jsonBytes(value: object): Uint8Array {
	return new TextEncoder().encode(JSON.stringify(value, undefined, '\t') + '\n');
}
