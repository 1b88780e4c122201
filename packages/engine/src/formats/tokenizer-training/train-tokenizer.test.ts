import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteAlphabet } from './byte-alphabet.ts';
import { endOfText, trainTokenizer } from './train-tokenizer.ts';

/** The definition taken at its word: count all pairs anew before every merge. */
function trainSlowly(words: readonly string[], merges: number): [string, string][] {
	const split = words.map((word) => Array.from(new TextEncoder().encode(word), (byte) => byte + 1));
	const tokens = [endOfText, ...byteAlphabet];
	const learned: [string, string][] = [];
	while (learned.length < merges) {
		const counts = new Map<string, number>();
		for (const ids of split) {
			for (let at = 0; at + 1 < ids.length; at++) {
				const key = `${ids[at]},${ids[at + 1]}`;
				counts.set(key, (counts.get(key) ?? 0) + 1);
			}
		}
		const best = [...counts]
			.map(([key, count]) => ({ count, ids: key.split(',').map(Number) as [number, number] }))
			.filter(({ count }) => count >= 2)
			.sort((a, b) => b.count - a.count || a.ids[0] - b.ids[0] || a.ids[1] - b.ids[1])[0];
		if (best === undefined) break;
		const [left, right] = best.ids;
		learned.push([tokens[left]!, tokens[right]!]);
		tokens.push(tokens[left]! + tokens[right]!);
		for (const ids of split) {
			for (let at = 0; at + 1 < ids.length; at++) {
				if (ids[at] === left && ids[at + 1] === right) ids.splice(at, 2, tokens.length - 1);
			}
		}
	}
	return learned;
}

test('merges are those of the definition', () => {
	const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 }), {
		maxLength: 30,
	});
	fc.assert(
		fc.property(words, (list) => {
			const { merges } = trainTokenizer(list, { vocabularySize: 257 + 12 });
			expect(merges).toEqual(trainSlowly(list, 12));
		}),
		{ numRuns: 200, seed: 1 },
	);
});

test('ids: end of text, then the bytes in order, then merges in order of learning', () => {
	const { vocabulary, merges } = trainTokenizer(['aaab aaab'], { vocabularySize: 259 });
	const tokens = [...vocabulary.keys()];
	expect(tokens.slice(0, 257)).toEqual([endOfText, ...byteAlphabet]);
	expect([...vocabulary.values()]).toEqual(tokens.map((_, id) => id));
	expect(merges).toEqual([
		['a', 'a'],
		['a', 'b'],
	]);
	expect(tokens.slice(257)).toEqual(['aa', 'ab']);
});

test('the order of the texts does not matter', () => {
	const texts = [
		'int value = 12;',
		'int other = value + 12;',
		'return other;',
		'if (value > other) return value;',
	];
	const options = { vocabularySize: 300 };
	expect(trainTokenizer(texts.toReversed(), options)).toEqual(trainTokenizer(texts, options));
});

test('nothing is merged across digits, words or line ends', () => {
	const texts = Array.from({ length: 9 }, () => 'x1212 = y1212;\n\tx();\n');
	const { merges } = trainTokenizer(texts, { vocabularySize: 400 });
	expect(merges.length).toBeGreaterThan(0);
	for (const pair of merges) expect(pair.join('')).not.toMatch(/\d|.Ġ|;Ċ/);
});

test('a pair below the least count is not merged', () => {
	const texts = ['ab', 'ab', 'cd', 'cd', 'cd'];
	expect(trainTokenizer(texts, { vocabularySize: 300, minCount: 3 }).merges).toEqual([['c', 'd']]);
	expect(trainTokenizer([], { vocabularySize: 300 }).vocabulary.size).toBe(257);
});

test.each([256, 2 ** 20 + 1, 300.5])('a vocabulary of %s is refused', (vocabularySize) => {
	expect(() => trainTokenizer([], { vocabularySize })).toThrow(
		expect.objectContaining({ code: 'TOKENIZER_VOCABULARY', kind: 'input' }),
	);
});
