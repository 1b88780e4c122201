import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openModelFolder, readPeftPrefix, Tape, upload, writePeftPrefix } from '@vulntune/engine';
import { afterAll, describe, expect, it } from 'vitest';
import { createDetector } from 'vulntune';
import { promptOf, uploadPrefix } from '../../packages/vulntune/src/methods/prefix.ts';
import { hiddenStates } from '../../packages/vulntune/src/objectives/hidden-states.ts';
import { buildPack } from '../../packages/vulntune/src/packing/pack.ts';
import { inArena } from '../../packages/vulntune/src/scoring/micro-batch.ts';
import { backendsUnderTest } from '../backends.ts';
import { readGolden, readJson, relativeDifference } from './golden.ts';

const fixtures = path.join(import.meta.dirname, '..', 'golden', 'fixtures', 'prefix');
const texts: readonly (readonly number[])[] = readJson(fixtures, 'golden.json').texts;
const scratch = mkdtempSync(path.join(os.tmpdir(), 'vulntune-prefix-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Texts that end with their separator, each in a piece of its own. */
const packOf = (chosen: readonly (readonly number[])[]) =>
	buildPack(
		chosen.map((ids, functionIndex) => ({
			...{ functionIndex, start: 0, end: ids.length - 1, windowIndex: 0, windowCount: 1, suffixLength: 0 },
		})),
		chosen.map((ids) => ids.slice(0, -1)),
		2,
		'isolated',
	);

describe.each(backendsUnderTest())('a prefix that PEFT saved on $name', ({ create }) => {
	const open = (name: string) => {
		const backend = create();
		const folder = openModelFolder(path.join(fixtures, 'model'));
		const detector = createDetector(backend, folder, {
			...{ method: { type: 'prefix', length: 3 }, base: 'fp32', doubleQuantization: false },
			...{ head: undefined, start: undefined, maxPositions: 40, seed: 1 },
		});
		const saved = readPeftPrefix(path.join(fixtures, name));
		uploadPrefix(backend, detector.parameters, saved, name);
		const close = () => {
			detector.free();
			folder.close();
			expect(backend.memory().liveBuffers).toBe(0);
			backend.close();
		};
		return {
			backend,
			detector,
			saved,
			close,
			golden: readGolden(path.join(fixtures, name, 'golden.safetensors')),
		};
	};

	it.each(['plain', 'projected'])("gives PEFT's states and gradients, alone and packed: %s", (name) => {
		const { backend, detector, golden, close } = open(name);
		const run = (chosen: readonly number[], checkpointing: boolean) => {
			backend.fill(detector.parameters.gradients, 0);
			const tape = new Tape();
			return inArena(backend, 'fp32', { tape, dropoutSeed: undefined }, (context) => {
				const states = hiddenStates(context, detector, packOf(chosen.map((f) => texts[f]!)), checkpointing); // [T, H]
				const values = [...backend.download(states)];
				const weights = chosen.flatMap((f) => [...golden.get(`weights.${f}`)!.values]);
				tape.backward(context, states, upload(context, Float32Array.from(weights), states.shape));
				const gradients = new Map(
					detector.parameters.specs.map(({ name, shape }) => [
						name,
						{ shape, values: Float32Array.from(backend.download(detector.parameters.get(name).gradient!)) },
					]),
				);
				return { values, gradient: promptOf(gradients, 2).values };
			});
		};
		const valuesOf = (key: string, f: number) => [...golden.get(`${key}.${f}`)!.values];
		for (const f of [0, 1]) {
			const { values, gradient } = run([f], false);
			expect(relativeDifference(values, valuesOf('states', f))).toBeLessThan(2e-5);
			expect(relativeDifference(gradient, valuesOf('gradient', f))).toBeLessThan(5e-5);
		}
		const sum = valuesOf('gradient', 0).map((value, i) => value + valuesOf('gradient', 1)[i]!);
		for (const checkpointing of [false, true]) {
			const { values, gradient } = run([0, 1], checkpointing);
			expect(
				relativeDifference(
					values,
					[0, 1].flatMap((f) => valuesOf('states', f)),
				),
			).toBeLessThan(2e-5);
			expect(relativeDifference(gradient, sum)).toBeLessThan(5e-5);
		}
		close();
	});

	it('is written as it was read', () => {
		const { saved, detector, backend, close } = open('plain');
		const tensors = new Map(
			detector.parameters.specs.map(({ name, shape }) => [
				name,
				{ shape, values: Float32Array.from(backend.download(detector.parameters.get(name))) },
			]),
		);
		writePeftPrefix(scratch, { ...saved, prompt: promptOf(tensors, 2) });
		expect(readPeftPrefix(scratch)).toEqual(saved);
		const config = (folder: string) =>
			JSON.parse(readFileSync(path.join(folder, 'adapter_config.json'), 'utf8'));
		const theirs = config(path.join(fixtures, 'plain'));
		for (const key of ['num_layers', 'num_attention_heads', 'num_virtual_tokens', 'token_dim', 'peft_type']) {
			expect(config(scratch)[key]).toBe(theirs[key]);
		}
		close();
	});
});
