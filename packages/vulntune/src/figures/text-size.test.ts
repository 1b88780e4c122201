import { describe, expect, test } from 'vitest';
import { textWidth, wrapText } from './text-size.ts';

test('a text is as wide as its letters', () => {
	expect(textWidth('iii', 10)).toBeLessThan(textWidth('aaa', 10));
	expect(textWidth('aaa', 10)).toBeLessThan(textWidth('mmm', 10));
	expect(textWidth('a字', 10)).toBeGreaterThan(textWidth('aa', 10));
	expect(textWidth('ab', 20)).toBe(2 * textWidth('ab', 10));
});

describe('lines of a text', () => {
	const limit = textWidth('aaaaaaaaaa', 10);

	test('are broken at spaces, and as few as can be', () => {
		expect(wrapText('length=512, seed=1', 10, 1000)).toEqual(['length=512, seed=1']);
		expect(wrapText('aaaa aaaa aaaa', 10, limit)).toEqual(['aaaa aaaa', 'aaaa']);
	});

	test('hold a word that is too wide in parts, nothing lost and none too wide', () => {
		const text = `a ${'m'.repeat(40)} b`;
		const lines = wrapText(text, 10, limit);
		expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
		for (const line of lines) expect(textWidth(line, 10)).toBeLessThanOrEqual(limit);
	});
});
