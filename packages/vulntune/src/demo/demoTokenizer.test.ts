import { Tokenizer } from '@huggingface/tokenizers';
import {
	tokenizerConfigJson,
	tokenizerJson,
} from '@vulntune/engine/formats/tokenizer-training/writeTokenizer.ts';
import { expect, test } from 'vitest';
import { collapseWhitespace } from '../data/whitespace.ts';
import { demoVocabularySize } from './baseConfig.ts';
import { generateDemoDataset } from './dataset.ts';
import { trainDemoTokenizer } from './demoTokenizer.ts';

test('the demo functions are short in tokens, and none is too long for a sequence of 256', () => {
	const tokenizer = trainDemoTokenizer({ seed: 2, functions: 3000 });
	expect(tokenizer.vocabulary.size).toBe(demoVocabularySize);
	const library = new Tokenizer(tokenizerJson(tokenizer), tokenizerConfigJson());
	const { train } = generateDemoDataset({ seed: 1, pairs: 150 });
	const lengths = train
		.map((row) => library.encode(collapseWhitespace(row.code)).ids.length)
		.sort((a, b) => a - b);
	const median = lengths[lengths.length >> 1]!;
	expect(median).toBeGreaterThan(60);
	expect(median).toBeLessThan(120);
	expect(lengths.at(-1)).toBeLessThan(200);
});
