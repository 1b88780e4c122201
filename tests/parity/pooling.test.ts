import path from 'node:path';
import { openModelFolder, readPeftAdapter } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { createDetector, trainOnPack } from 'vulntune';
import { classLogits } from '../../packages/vulntune/src/methods/head.ts';
import { functionStates } from '../../packages/vulntune/src/objectives/hidden-states.ts';
import { buildPack } from '../../packages/vulntune/src/packing/pack.ts';
import { inArena } from '../../packages/vulntune/src/scoring/micro-batch.ts';
import { backendsUnderTest } from '../backends.ts';
import { focalPass } from './detectors.ts';
import { readGolden, readJson, relativeDifference } from './golden.ts';
import { expectGradients } from './gradients.ts';

const fixtures = path.join(import.meta.dirname, '..', 'golden', 'fixtures');
const cases = ['llama', 'bert'].flatMap((name) =>
	backendsUnderTest().map((backend) => ({ ...backend, family: name })),
);

describe.each(cases)('the mean and the maximum of the states of $family on $name', ({ create, family }) => {
	const { leading, separator, functions, labels } = readJson(fixtures, 'pooling', family, 'golden.json') as {
		leading: number[];
		separator: number;
		functions: number[][];
		labels: number[];
	};
	const golden = readGolden(path.join(fixtures, 'pooling', family, 'golden.safetensors'));
	const pack = buildPack(
		functions.map((ids, functionIndex) => ({
			...{ functionIndex, start: 0, end: ids.length, windowIndex: 0, windowCount: 1 },
			...{ leadingLength: leading.length, suffixLength: 0 },
		})),
		functions,
		separator,
		'isolated',
		{ leading },
	);

	it("give torch's logits, losses and gradients", () => {
		const backend = create();
		const folder = openModelFolder(path.join(fixtures, 'models', family));
		const adapter = readPeftAdapter(path.join(fixtures, 'training', family, 'adapter'));
		const weight = golden.get('head')! as { shape: number[]; values: Float32Array };
		const head = { pool: 'meanMax', hidden: null } as const;
		const detector = createDetector(backend, folder, {
			...{ base: 'fp32', doubleQuantization: false, method: { type: 'lora', lora: adapter.config }, head },
			...{ maxPositions: folder.config.maxPositions, seed: 1 },
			start: { ...adapter, head: new Map([['score.weight', weight]]) },
		});
		inArena(backend, 'fp32', { tape: undefined, dropoutSeed: undefined }, (context) => {
			const states = functionStates(context, detector, head.pool, pack, false); // [F, 2H]
			expect(states.shape).toEqual([functions.length, 2 * folder.config.hiddenSize]);
			expect(relativeDifference(backend.download(states), golden.get('states')!.values)).toBeLessThan(1e-5);
			const logits = backend.download(classLogits(context, detector.parameters, head, states)); // [F, 2]
			expect(relativeDifference(logits, golden.get('logits')!.values)).toBeLessThan(1e-5);
		});
		const targets = { labels: Int32Array.from(labels), weights: new Float32Array(labels.length).fill(1) };
		const losses = trainOnPack(detector, pack, targets, 1, 0, focalPass(1, 'full'));
		expect(relativeDifference(losses, golden.get('losses')!.values)).toBeLessThan(1e-5);
		expectGradients(backend, detector.parameters, golden, 'grad.');
		detector.free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});
