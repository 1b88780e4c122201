import { createParameters, createReferenceBackend, type PeftPrefix } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { initializePrefix, prefixSpecs, promptOf, uploadPrefix } from './prefix.ts';

const layers = 2;
const specs = prefixSpecs({ layers, keyValueHeads: 1, headDim: 2 }, 3);
const head = { name: 'score.weight', shape: [2, 2] };
// of each token the key and the value of the first layer, then those of the second: [P, layers × 2 × width]
const prompt = { shape: [3, 8], values: Float32Array.from({ length: 24 }, (_, i) => i) };
const scores = new Map([['score.weight', { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }]]);
const saved: PeftPrefix = { baseModel: 'base', layers, heads: 1, prompt, head: scores };

/** What the parameters hold once a saved prefix is copied over them. */
function uploaded(changes: Partial<PeftPrefix> = {}) {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, [...specs, head]);
	uploadPrefix(backend, parameters, { ...saved, ...changes }, 'here');
	return new Map(
		parameters.specs.map(({ name, shape }) => [
			name,
			{ shape, values: Float32Array.from(backend.download(parameters.get(name))) },
		]),
	);
}

it('takes keys and values from where PEFT keeps them, and puts them back there', () => {
	const tensors = uploaded();
	expect([...tensors.get('prefix.0.key')!.values]).toEqual([0, 1, 8, 9, 16, 17]);
	expect([...tensors.get('prefix.1.value')!.values]).toEqual([6, 7, 14, 15, 22, 23]);
	expect([...tensors.get('score.weight')!.values]).toEqual([1, 2, 3, 4]);
	expect(promptOf(tensors, layers)).toEqual(prompt);
});

it('knows layers by their whole number', () => {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, prefixSpecs({ layers: 12, keyValueHeads: 1, headDim: 1 }, 1));
	const deep = { shape: [1, 24], values: Float32Array.from({ length: 24 }, (_, i) => i) };
	uploadPrefix(backend, parameters, { ...saved, layers: 12, prompt: deep, head: new Map() }, 'here');
	expect([...backend.download(parameters.get('prefix.11.key'))]).toEqual([22]);
});

it.each<[string, Partial<PeftPrefix>]>([
	['fewer tokens', { prompt: { ...prompt, shape: [2, 8] } }],
	['fewer layers', { layers: 1, prompt: { ...prompt, shape: [3, 4] } }],
	['narrower keys', { prompt: { ...prompt, shape: [3, 4] } }],
	['no head', { head: new Map() }],
	['another head', { head: new Map([['score.weight', { shape: [2, 3], values: new Float32Array(6) }]]) }],
])('is refused where what was saved has %s', (_, changes) => {
	expect(() => uploaded(changes)).toThrow(
		expect.objectContaining({ code: 'ADAPTER_MISMATCH', place: 'here' }),
	);
});

it('begins near nothing, with other numbers for every layer, key and value', () => {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, [...specs, head]);
	backend.fill(parameters.values, 7);
	initializePrefix(backend, parameters, 1);
	const drawn = specs.map(({ name }) => [...backend.download(parameters.get(name))]);
	expect(new Set(drawn.flat()).size).toBe(24);
	for (const value of drawn.flat()) expect(Math.abs(value)).toBeLessThan(0.2);
	// the head has an initialiser of its own
	expect([...backend.download(parameters.get('score.weight'))]).toEqual([7, 7, 7, 7]);
});
