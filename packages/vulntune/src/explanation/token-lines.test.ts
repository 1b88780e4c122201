import { loadTokenizer } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { locateTokens } from './token-lines.ts';

const tokenizer = loadTokenizer(writeTinyModel(temporaryFolder()));

/** The text of each line's tokens. */
function textOfLines(code: string, isCollapsed: boolean): string[] {
	const { ids, lineOf, lines } = locateTokens(code, tokenizer, isCollapsed);
	return lines.map((_, line) => tokenizer.decode(ids.filter((_, token) => lineOf[token] === line)));
}

describe('the line of each token', () => {
	it.each(['\n', '\r\n', '\r'])('is found where lines end with %j', (end) => {
		const lines = ['void copy(String a) {', '\tif (a == null)', '', '\t\treturn;', '\tuse(a);', '}'];
		const code = lines.join(end);
		expect(textOfLines(code, true).map((text) => text.trim())).toEqual(lines.map((line) => line.trim()));
		// white space may be one token across a line's end
		expect(textOfLines(code, false).join('')).toBe(code);
		expect(textOfLines(code, false).map((text) => text.trim())).toEqual(lines.map((line) => line.trim()));
	});

	it('keeps blank lines at both ends, which have no tokens where white space is collapsed', () => {
		const { lineOf, lines } = locateTokens('\n\nint x;\n', tokenizer, true);
		expect(lines).toEqual(['', '', 'int x;', '']);
		expect(new Set(lineOf)).toEqual(new Set([2]));
	});

	it('gives a token that spans the end of a line to the line after it', () => {
		const words = { encode: (text: string) => text.split(' ').map((word) => word.length) };
		expect([...locateTokens('ab cd\nef gh', words, false).lineOf]).toEqual([0, 1, 1]);
	});

	it('ends with the last line where a function has no token', () => {
		expect(locateTokens('', tokenizer, true)).toMatchObject({ lines: [''], lineOf: new Int32Array(0) });
	});
});
