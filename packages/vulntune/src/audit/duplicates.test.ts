import { expect, it } from 'vitest';
import { codeWords } from './code-words.ts';
import { findDuplicates } from './duplicates.ts';
import { shinglesOf } from './shingles.ts';

it('takes a text apart into names, numbers and single characters', () => {
	expect(codeWords('int _a1 = b$+0x1F;\n\treturn "é";')).toEqual([
		...['int', '_a1', '=', 'b$', '+', '0x1F', ';', 'return', '"', 'é', '"', ';'],
	]);
	expect(codeWords(' \n')).toEqual([]);
});

it('counts each sequence of five words once', () => {
	const count = (text: string) => shinglesOf(text.split(' ')).length;
	expect(count('a b c d e')).toBe(1);
	expect(count('a b c d e f')).toBe(2);
	expect(count('a a a a a a a')).toBe(1);
	expect(count('a b')).toBe(1);
	expect(shinglesOf([])).toHaveLength(0);
	expect(shinglesOf(['a', 'b'])).not.toEqual(shinglesOf(['b', 'a']));
});

it('knows copies whatever their white space, and how alike others are', () => {
	const { textOf, functionsOf, pairs } = findDuplicates([
		'a b c d e f g h i j',
		'a  b c\nd e f g h i j ',
		'a b c d e f g h i k',
		'x y',
	]);
	expect([...textOf]).toEqual([0, 0, 1, 2]);
	expect(functionsOf).toEqual([[0, 1], [2], [3]]);
	// of six sequences each five are in both
	expect(pairs).toEqual([{ a: 0, b: 1, similarity: 5 / 7 }]);
});
