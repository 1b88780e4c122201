import * as library from '@huggingface/tokenizers';

// The library's own declarations leave its parts out.
const { SplitPreTokenizer } = library as unknown as {
	SplitPreTokenizer: new (config: object) => { readonly pattern: unknown };
};

/** A pattern of tokenizer.json: a text, or an expression in Oniguruma's language. */
export interface Pattern {
	readonly String?: string;
	readonly Regex?: string;
}

/** As JavaScript's expression, which the library translates; with the flags g and u. */
export function compilePattern(pattern: Pattern): RegExp {
	if (pattern.String === '') return /(?!)/gu; // the reference implementation finds an empty text nowhere
	const { pattern: expression } = new SplitPreTokenizer({ pattern, invert: true });
	if (!(expression instanceof RegExp)) throw new TypeError('the pattern is neither a text nor an expression');
	return expression;
}
