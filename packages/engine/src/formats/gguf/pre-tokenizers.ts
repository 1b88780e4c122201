import { canonicalJson, isJsonObject } from '../json.ts';

/** The steps of tokenizer.json that a name in `tokenizer.ggml.pre` stands for. */
export interface GgufPreTokenizer {
	readonly normalizer: object | null;
	readonly preTokenizer: object;
	/** A word that is a token is that token, whatever merges would make of it. */
	readonly ignoreMerges: boolean;
	/** Whether a text begins with the begin token where the file doesn't say. */
	readonly addsBos: boolean;
}

const byteLevel = (useRegex: boolean) => ({
	type: 'ByteLevel',
	add_prefix_space: false,
	trim_offsets: true,
	use_regex: useRegex,
});
const digits = { type: 'Digits', individual_digits: true };
const split = (expression: string) => ({
	type: 'Split',
	pattern: { Regex: expression },
	behavior: 'Isolated',
	invert: false,
});
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
const plain = { normalizer: null, ignoreMerges: false, addsBos: false };

const gpt2: GgufPreTokenizer = { ...plain, preTokenizer: byteLevel(true) };
const singleDigits: GgufPreTokenizer = { ...plain, preTokenizer: sequence(digits, byteLevel(true)) };
/** As GPT-4's, with runs of `digitsPattern`. */
const contractions = (digitsPattern: string) =>
	sequence(
		split(
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digitsPattern}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
		),
		byteLevel(false),
	);
const llama3: GgufPreTokenizer = {
	normalizer: null,
	preTokenizer: contractions('\\p{N}{1,3}'),
	ignoreMerges: true,
	addsBos: true,
};
const qwen2: GgufPreTokenizer = {
	...plain,
	normalizer: { type: 'NFC' },
	preTokenizer: contractions('\\p{N}'),
};
const deepseekCoder: GgufPreTokenizer = {
	...plain,
	preTokenizer: sequence(
		...['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-\ud7ff]+'].map(split),
		digits,
		byteLevel(false),
	),
	addsBos: true,
};

/** By the names that llama.cpp's converter writes. Those that it has besides differ in some step, and are refused. */
const byName: Readonly<Record<string, GgufPreTokenizer>> = {
	'gpt-2': gpt2,
	starcoder: singleDigits,
	refact: singleDigits,
	smollm: singleDigits,
	codeshell: singleDigits,
	'llama-bpe': llama3,
	llama3,
	'llama-v3': llama3,
	qwen2,
	'deepseek-r1-qwen': qwen2,
	'deepseek-coder': deepseekCoder,
};

export const preTokenizerNames: readonly string[] = Object.keys(byName);

/** undefined for a name that isn't known. */
export function findPreTokenizer(name: string): GgufPreTokenizer | undefined {
	return Object.hasOwn(byName, name) ? byName[name] : undefined;
}

/** The name of these steps of a tokenizer.json, the published one where several are alike; undefined where there is none. */
export function preTokenizerFor(
	normalizer: unknown,
	preTokenizer: unknown,
	ignoreMerges: boolean,
): string | undefined {
	const wanted = canonicalJson([plainStep(normalizer), plainStep(preTokenizer), ignoreMerges]);
	return Object.entries(byName).find(([, known]) => {
		const own = [plainStep(known.normalizer), plainStep(known.preTokenizer), known.ignoreMerges];
		return canonicalJson(own) === wanted;
	})?.[0];
}

/** A step without what changes no token, and what it leaves out written down. */
function plainStep(step: unknown): unknown {
	if (!isJsonObject(step)) return null;
	const { trim_offsets: _offsets, pretokenizers, ...own } = step as Readonly<Record<string, unknown>>;
	if (Array.isArray(pretokenizers)) return { ...own, pretokenizers: pretokenizers.map(plainStep) };
	return own.type === 'ByteLevel' ? { use_regex: true, add_prefix_space: true, ...own } : own;
}
