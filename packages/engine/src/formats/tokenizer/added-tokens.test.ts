import { expect, test } from 'vitest';
import { type AddedToken, createAddedTokenSplitter } from './added-tokens.ts';

const plain = { special: false, normalized: false, lstrip: false, rstrip: false, singleWord: false };

function split(text: string, tokens: readonly (Partial<AddedToken> & { content: string })[]) {
	const added = tokens.map((token, id) => ({ ...plain, id, ...token }));
	const pieces = createAddedTokenSplitter(added, (part) => part.toUpperCase(), true)(text);
	return pieces.map((piece) => ('id' in piece ? piece.id : piece.text));
}

// The values are those of the reference implementation.
test('white space that one token took is no token again', () => {
	expect(split('    x', [{ content: '  ', lstrip: true, rstrip: true }])).toEqual([0, 'X']);
});

test('the longest token of those that begin first counts', () => {
	expect(split('abcd', [{ content: 'b' }, { content: 'abc' }, { content: 'ab' }])).toEqual([1, 'D']);
});

test('what lies within a special token that is read as text is no token', () => {
	expect(split('<s>s', [{ content: '<s>', special: true }, { content: 's' }])).toEqual(['<S>', 1]);
});

test('tokens of the normalised text are found in their own normalised form', () => {
	expect(split('xbufBUF', [{ content: 'buf', normalized: true }])).toEqual(['X', 0, 0]);
});

test.each([
	[
		'the same',
		[
			{ content: 'a', normalized: true },
			{ content: 'A', normalized: true },
		],
	],
	['nothing', [{ content: '', normalized: true }]],
])('tokens that are normalised to %s are refused', (_, tokens) => {
	expect(() => split('a', tokens)).toThrow(/is normalised to/);
});
