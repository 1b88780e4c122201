import fc from 'fast-check';
import { expect, test } from 'vitest';
import { preTokenize } from './pre-tokenize.ts';

const sign = fc.constantFrom(...'aZ_09 .;\t\n({"\'sé߀中\u0000\u00a0\u2028٣👍🏽');

test('the pieces joined are the text', () => {
	fc.assert(
		fc.property(fc.string({ unit: sign }), (text) => {
			expect(preTokenize(text).join('')).toBe(text);
		}),
		{ numRuns: 300, seed: 1 },
	);
});

test.each([
	['int a2b = 10;', ['int', ' a', '2', 'b', ' =', ' ', '1', '0', ';']],
	["it's  a\n\n\tb", ['it', "'s", ' ', ' a', '\n\n', '\t', 'b']],
	['f(x)->y[i]', ['f', '(', 'x', ')->', 'y', '[', 'i', ']']],
	['', []],
])('%j', (text, pieces) => {
	expect(preTokenize(text)).toEqual(pieces);
});
