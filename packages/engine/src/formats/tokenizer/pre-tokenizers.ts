import { byteAlphabet } from '../tokenizer-training/byte-alphabet.ts';
import { compilePattern } from './compile-pattern.ts';
import type { Component } from './components.ts';
import { partsOf, type SplitBehavior, splitParts } from './split-text.ts';
import { createWordCache } from './word-cache.ts';

/** Splits text into the words that are merged by themselves; `isFirst` says whether it begins the whole text. */
export type PreTokenizer = (text: string, isFirst: boolean) => string[];

/** GPT-2's splitting, with Unicode's white space: JavaScript's `\s` lacks U+0085 and has U+FEFF. */
const byteLevelPattern =
	/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Digits are all of Unicode's numeric characters, of which JavaScript's `\d` has ten. */
const singleDigitsPattern = /\P{N}+|\p{N}/gu;
const digitRunsPattern = /\P{N}+|\p{N}+/gu;

const punctuation = /[\p{P}!-/:-@[-`{-~]/gu;
const whiteSpace = /\p{White_Space}/gu;
/** Runs of word characters, as Rust's `\w` has them, and runs of what is neither those nor white space. */
const wordsPattern =
	/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

/** Builds a checked pre-tokenizer of tokenizer.json: the same words as the reference implementation's. */
export function buildPreTokenizer(component: Component | null): PreTokenizer {
	if (component === null) return (text) => [text];
	switch (component.type) {
		case 'Sequence': {
			const steps = (component.pretokenizers ?? []).map(buildPreTokenizer);
			return (text, isFirst) =>
				steps.reduce<string[]>(
					(words, step) => words.flatMap((word, index) => step(word, isFirst && index === 0)),
					[text],
				);
		}
		case 'ByteLevel':
			return byteLevel(component);
		case 'Digits': {
			const pattern = component.individual_digits ? singleDigitsPattern : digitRunsPattern;
			return (text) => text.match(pattern) ?? [];
		}
		case 'Split':
			return split(component);
		case 'Punctuation': {
			const behavior = (component.behavior ?? 'Isolated') as SplitBehavior;
			return (text) => splitParts(partsOf(text, punctuation), behavior);
		}
		case 'Whitespace':
			return (text) => text.match(wordsPattern) ?? [];
		case 'WhitespaceSplit':
			return (text) => splitParts(partsOf(text, whiteSpace), 'Removed');
		case 'BertPreTokenizer':
			return (text) =>
				splitParts(partsOf(text, whiteSpace), 'Removed').flatMap((word) =>
					splitParts(partsOf(word, punctuation), 'Isolated'),
				);
		case 'Metaspace':
			return metaspace(component);
		default:
			throw new TypeError(`unknown pre-tokenizer ${component.type}`);
	}
}

function split(component: Component): PreTokenizer {
	const expression = compilePattern(component.pattern!);
	const behavior = component.behavior as SplitBehavior;
	if (!component.invert) return (text) => splitParts(partsOf(text, expression), behavior);
	return (text) =>
		splitParts(
			partsOf(text, expression).map((part) => ({ ...part, isMatch: !part.isMatch })),
			behavior,
		);
}

/** Remembers the byte-level spelling of each word, which is most of the work: source code repeats its words. */
function byteLevel(component: Component): PreTokenizer {
	const spellings = createWordCache<string>();
	const spell = (word: string) => {
		const known = spellings.get(word);
		if (known !== undefined) return known;
		let spelling = '';
		for (const byte of Buffer.from(word)) spelling += byteAlphabet[byte];
		spellings.put(word, spelling);
		return spelling;
	};
	return (text) => {
		const prefixed = component.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
		const words = (component.use_regex ?? true) ? (prefixed.match(byteLevelPattern) ?? []) : [prefixed];
		return words.map(spell);
	};
}

function metaspace(component: Component): PreTokenizer {
	const { replacement, prepend_scheme: scheme } = component as {
		replacement: string;
		prepend_scheme?: string;
	};
	const expression = compilePattern({ String: replacement });
	return (text, isFirst) => {
		const replaced = text.replaceAll(' ', () => replacement);
		const isPrepended = (scheme ?? 'always') === 'always' || (scheme === 'first' && isFirst);
		const whole = isPrepended && !replaced.startsWith(replacement) ? replacement + replaced : replaced;
		return (component.split ?? true) ? splitParts(partsOf(whole, expression), 'MergedWithNext') : [whole];
	};
}
