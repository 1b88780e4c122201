import { describe, expect, test } from 'vitest';
import { smallTokenizer } from '../testing/small-tokenizer.ts';
import { expressionDanger } from './check-expression.ts';
import { parseDefinition } from './definition.ts';

describe('an expression that a tokenizer splits by', () => {
	test.each([
		[String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`],
		[
			String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		],
		[String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{M}]*[\p{Ll}\p{Lm}\p{M}]+(?i:'s|'t)?|\p{N}{1,3}`],
		['[\r\n]'],
		[String.raw`\s?[!-\/:-~\]\\]+`],
		[String.raw`\s+$`],
		[String.raw`\p{N}`],
		[' '],
		[String.raw`\(+\)*`],
	])('may be %s', (source) => {
		expect(expressionDanger(source)).toBeUndefined();
		expect(() => new RegExp(source, 'gu')).not.toThrow();
	});

	test.each([
		['(a+)+$', /repeats a group/],
		['(?:a|a)*b', /repeats a group/],
		['(?i:a?a)+b', /repeats a group/],
		['((a*))*b', /repeats a group/],
		[String.raw`(?:\s+){2,}x`, /repeats a group/],
		['(?:a+){40}b', /repeats a group/],
		['a*a*a*b', /more than 2 parts/],
		['(?:x|a*a*)(?:a*|y)b', /more than 2 parts/],
		[String.raw`\p{L}+[\]a]{0,400}\w{3,}b`, /more than 2 parts/],
		['a?'.repeat(30) + 'a'.repeat(30), /optional parts/],
		['(?:a{0,2}b|a)'.repeat(20), /optional parts/],
		[String.raw`(a+)\1b`, /refers back/],
		['a'.repeat(5000), /5000 characters/],
	])('is refused where it is %s', (source, reason) => {
		expect(expressionDanger(source)).toMatch(reason);
	});

	test('is refused with its place in the file', () => {
		const json = smallTokenizer();
		const split = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
		json.pre_tokenizer = { type: 'Sequence', pretokenizers: [split] };
		expect(() => parseDefinition(json, 'tokenizer.json')).toThrow(
			expect.objectContaining({
				code: 'TOKENIZER_UNSUPPORTED',
				place: 'tokenizer.json: pre_tokenizer: 0',
				message: expect.stringContaining('(a+)+$'),
			}),
		);
		const literal = { ...split, pattern: { String: '(a+)+$' } };
		json.pre_tokenizer = { type: 'Sequence', pretokenizers: [literal] };
		parseDefinition(json, 'tokenizer.json');
	});
});
