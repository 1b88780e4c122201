import { expect, test } from 'vitest';
import { mergesOf } from './sentencepiece-merges.ts';

test('merges of one score have the order that transformers gives them', () => {
	const tokens = ['c', 'b', 'a', 'bc', 'ab', 'abc', 'aa', 'aab', 'aabc', 'bb', 'ba', 'bba'];
	const scores = new Map(tokens.map((token) => [token, token === 'aa' ? 1 : 0]));
	// generate_merges(vocab, scores) of transformers 5.24
	expect(mergesOf(scores, new Set(tokens)).map((pair) => pair.join(' '))).toEqual([
		'a a',
		'aab c',
		'aa bc',
		'ab c',
		'aa b',
		'bb a',
		'a abc',
		'a bc',
		'a ab',
		'b ba',
		'b c',
		'a b',
		'b b',
		'b a',
	]);
});
