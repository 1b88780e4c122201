import path from 'node:path';
import { createDryBackend, elements, openModelFolder } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { temporaryFolder, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { createDetector, createDryDetector, type DetectorOptions } from './detector.ts';

const options: DetectorOptions = {
	...{ method: { type: 'head' }, base: 'bf16', doubleQuantization: false, maxPositions: 8 },
	...{ head: { pool: 'last', hidden: null }, seed: 1, start: undefined },
};

it('has an output matrix of the base’s own for the next token alone', () => {
	const untied = { ...tinyShapes.llama, tie_word_embeddings: false };
	const folder = openModelFolder(writeTinyModel(path.join(temporaryFolder(), 'model'), untied));
	const made = (head: DetectorOptions['head']) =>
		[
			createDetector(createDryBackend(), folder, { ...options, head }),
			createDryDetector(createDryBackend(), folder.config, { ...options, head }),
		].map(({ backend, model, parameters }) => {
			const trained = 2 * 4 * elements(parameters.values.shape);
			return { has: model.outputMatrix !== undefined, bytes: backend.memory().liveBytes - trained };
		});
	const [logits, dryLogits] = made(undefined);
	const [states, dryStates] = made(options.head);
	folder.close();
	const { vocabularySize, hiddenSize } = folder.config;
	expect([logits!.has, states!.has]).toEqual([true, false]);
	expect(logits!.bytes - states!.bytes).toBe(2 * vocabularySize * hiddenSize);
	// what is reckoned is what is taken
	expect([dryLogits, dryStates]).toEqual([logits, states]);
});
