import path from 'node:path';
import { openModelFolder, readPeftAdapter, Tape, upload } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { createDetector } from 'vulntune';
import { hiddenStates } from '../../packages/vulntune/src/objectives/hidden-states.ts';
import { buildPack } from '../../packages/vulntune/src/packing/pack.ts';
import { inArena } from '../../packages/vulntune/src/scoring/micro-batch.ts';
import { backendsUnderTest } from '../backends.ts';
import { readGolden, readJson, relativeDifference } from './golden.ts';

// scripts/goldens/bidirectional.py
const fixtures = path.join(import.meta.dirname, '..', 'golden', 'fixtures', 'bidirectional');
const { texts, bidirectionalLayers, layersToTransform } = readJson(fixtures, 'golden.json');
const golden = readGolden(path.join(fixtures, 'golden.safetensors'));

/** Texts that end with their separator, each in a piece of its own. */
const packOf = (chosen: readonly number[]) =>
	buildPack(
		chosen.map((f, functionIndex) => ({
			...{
				functionIndex,
				start: 0,
				end: texts[f].length - 1,
				windowIndex: 0,
				windowCount: 1,
				suffixLength: 0,
			},
		})),
		chosen.map((f) => texts[f].slice(0, -1)),
		2,
		'isolated',
	);
const valuesOf = (key: string, f: number) => [...golden.get(`${key}.${f}`)!.values];

describe.each(backendsUnderTest())('the last blocks see both ways on $name', ({ create }) => {
	it("gives the states and gradients of transformers' masks, alone and packed", () => {
		const backend = create();
		const folder = openModelFolder(path.join(fixtures, 'model'));
		const start = readPeftAdapter(path.join(fixtures, 'adapter'));
		const lora = { ...start.config, dropout: 0, layersToTransform };
		const detector = createDetector(backend, folder, {
			...{ method: { type: 'lora', lora }, base: 'fp32', doubleQuantization: false, bidirectionalLayers },
			...{ head: undefined, start, maxPositions: 40, seed: 1 },
		});
		const run = (chosen: readonly number[], checkpointing: boolean) => {
			backend.fill(detector.parameters.gradients, 0);
			const tape = new Tape();
			return inArena(backend, 'fp32', { tape, dropoutSeed: undefined }, (context) => {
				const states = hiddenStates(context, detector, packOf(chosen), checkpointing); // [T, H]
				const values = [...backend.download(states)];
				const weights = chosen.flatMap((f) => valuesOf('weights', f));
				tape.backward(context, states, upload(context, Float32Array.from(weights), states.shape));
				return values;
			});
		};
		for (const chosen of [[0], [1], [0, 1]]) {
			for (const checkpointing of [false, true]) {
				const states = chosen.flatMap((f) => valuesOf('states', f));
				expect(relativeDifference(run(chosen, checkpointing), states)).toBeLessThan(2e-5);
				for (const { name } of detector.parameters.specs) {
					const gradients = chosen.map((f) => golden.get(`gradient.${f}.${name}`)!.values);
					const sum = Array.from(gradients[0]!, (_, i) =>
						gradients.reduce((total, each) => total + each[i]!, 0),
					);
					const found = backend.download(detector.parameters.get(name).gradient!);
					expect(relativeDifference(found, sum)).toBeLessThan(5e-5);
				}
			}
		}
		detector.free();
		folder.close();
		backend.close();
	});
});
