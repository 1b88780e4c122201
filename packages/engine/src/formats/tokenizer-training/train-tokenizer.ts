import { inputError } from '../../errors.ts';
import { byteAlphabet } from './byte-alphabet.ts';
import { type CountedWord, learnMerges } from './learn-merges.ts';
import { preTokenize } from './pre-tokenize.ts';

/** Closes every text; token id 0. */
export const endOfText = '<|endoftext|>';

export interface TokenizerTrainingOptions {
	/** Tokens in all: the end of text, 256 bytes, and merges. Fewer if the texts hold too few different pairs. */
	readonly vocabularySize: number;
	/** A pair that occurs less often is not merged; 2 if left out. */
	readonly minCount?: number;
}

/** A byte-level BPE vocabulary as `tokenizer.json` spells it. */
export interface TrainedTokenizer {
	/** Token → id; ids are 0 … size - 1 in the map's order. */
	readonly vocabulary: ReadonlyMap<string, number>;
	/** Pairs of tokens, the first learned first. */
	readonly merges: readonly (readonly [left: string, right: string])[];
}

/**
 * Trains a byte-level BPE tokenizer. The same texts give the same tokenizer whatever their order.
 *
 * ```ts
 * const tokenizer = trainTokenizer(['int a = 1;', 'int b = 2;'], { vocabularySize: 300 });
 * writeTokenizer('model', tokenizer);
 * ```
 *
 * @throws VulntuneError `TOKENIZER_VOCABULARY` if `vocabularySize` is below 257 or above 2^20
 */
export function trainTokenizer(texts: Iterable<string>, options: TokenizerTrainingOptions): TrainedTokenizer {
	const { vocabularySize, minCount = 2 } = options;
	const firstMerge = 1 + byteAlphabet.length;
	if (!Number.isInteger(vocabularySize) || vocabularySize < firstMerge || vocabularySize > 2 ** 20) {
		throw inputError(
			'TOKENIZER_VOCABULARY',
			`a vocabulary has ${firstMerge} to ${2 ** 20} tokens, but ${vocabularySize} were asked for`,
			{ remedy: 'Choose a size such as 2048.' },
		);
	}
	const tokens = [endOfText, ...byteAlphabet];
	const learned = learnMerges(countWords(texts), firstMerge, vocabularySize - firstMerge, minCount);
	const vocabulary = new Map(tokens.map((token, id) => [token, id]));
	const merges: [string, string][] = [];
	for (const { left, right } of learned) {
		const pair: [string, string] = [tokens[left]!, tokens[right]!];
		merges.push(pair);
		vocabulary.set(pair[0] + pair[1], tokens.length);
		tokens.push(pair[0] + pair[1]);
	}
	return { vocabulary, merges };
}

/** The different pieces of all texts as ids of bytes (byte + 1), sorted so that the texts' order leaves no trace. */
function countWords(texts: Iterable<string>): CountedWord[] {
	const counts = new Map<string, number>();
	for (const text of texts) {
		for (const piece of preTokenize(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
	}
	const encoder = new TextEncoder();
	return [...counts.keys()].sort().map((piece) => ({
		ids: Array.from(encoder.encode(piece), (byte) => byte + 1),
		count: counts.get(piece)!,
	}));
}
