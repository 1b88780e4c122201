import { expectedTensors, parseModelConfig } from '@vulntune/engine';
import { expect, test } from 'vitest';
import { demoBaseConfig, demoVocabularySize } from './base-config.ts';

const config = parseModelConfig(demoBaseConfig, 'config.json');
const parameters = expectedTensors(config).reduce(
	(sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
	0,
);

test('the engine reads the configuration as it is meant', () => {
	expect(config).toMatchObject({ architecture: 'llama', languageHead: 'tied', eosTokenIds: [0] });
	expect(config.vocabularySize).toBe(demoVocabularySize);
	expect(config.heads * config.headDim).toBe(config.hiddenSize);
});

test('weights in bf16 stay far below the 15 MB that the repository allows them', () => {
	expect(2 * parameters).toBeLessThan(8e6);
	expect(parameters).toBeGreaterThan(1e6);
});

test('every matrix is made of whole NF4 blocks of 64', () => {
	for (const { shape } of expectedTensors(config)) {
		if (shape.length === 2) expect(shape[1]! % 64).toBe(0);
	}
});
