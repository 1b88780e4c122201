import path from 'node:path';
import { createDryBackend, elements, openModelFolder } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { createDetector, createDryDetector, type DetectorOptions, placedAdapter } from './detector.ts';

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

describe('a saved adapter', () => {
	const specs = [
		{ name: 'model.q_proj.lora_A.weight', shape: [1, 2] },
		{ name: 'model.q_proj.lora_B.weight', shape: [2, 1] },
		{ name: 'score.weight', shape: [2, 2] },
	];
	const matrix = (...shape: number[]) => ({ shape, values: new Float32Array(shape[0]! * shape[1]!) });
	const [a, b, score] = [matrix(1, 2), matrix(2, 1), matrix(2, 2)];
	const matrices = new Map([
		['model.q_proj.lora_A.weight', a],
		['model.q_proj.lora_B.weight', b],
	]);

	it('has its matrices and its head put where they belong', () => {
		const placed = placedAdapter(specs, { matrices, head: new Map([['score.weight', score]]) });
		expect([...placed]).toEqual([...matrices, ['score.weight', score]]);
	});

	it('is found without the prefix of its names, as of a base that was saved by itself', () => {
		const bare = new Map([...matrices].map(([name, value]) => [name.replace('model.', ''), value]));
		expect([...placedAdapter(specs, { matrices: bare, head: new Map() })]).toEqual([...matrices]);
	});

	it('of another objective keeps its head to itself', () => {
		const head = new Map([['score.weight', score]]);
		expect([...placedAdapter(specs.slice(0, 2), { matrices, head })]).toEqual([...matrices]);
	});

	it.each([
		['has a matrix too many', [...matrices, ['model.k_proj.lora_A.weight', a]]],
		['has another rank', [...matrices, ['model.q_proj.lora_A.weight', matrix(2, 2)]]],
		['lacks a matrix', [...matrices].slice(0, 1)],
	] as const)('is refused where it %s', (_, found) => {
		expect(() => placedAdapter(specs, { matrices: new Map(found), head: new Map() })).toThrow(
			expect.objectContaining({ code: 'ADAPTER_MISMATCH' }),
		);
	});
});
