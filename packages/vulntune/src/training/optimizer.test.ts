import { createParameters, createReferenceBackend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { type AdamWSettings, createOptimizer } from './optimizer.ts';

const specs = [
	{ name: 'embedding', shape: [2, 2] },
	{ name: 'norm', shape: [3] },
	{ name: 'matrix', shape: [1, 2] },
	{ name: 'adapter', shape: [2, 1] },
	{ name: 'bias', shape: [1] },
];

/** Parameters of 1 after a step of learning rate 0.1 on these gradients. */
function step(gradient: readonly number[], settings: AdamWSettings) {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, specs);
	backend.fill(parameters.values, 1);
	backend.upload(parameters.gradients, Float32Array.from(gradient));
	const optimizer = createOptimizer(backend, parameters, settings);
	const norm = optimizer.step(1, 0.1);
	const read = (view: typeof parameters.values) => Array.from(backend.download(view));
	return {
		norm,
		values: new Map(specs.map(({ name }) => [name, read(parameters.get(name))])),
		firstMoment: read(optimizer.firstMoment),
		gradients: read(parameters.gradients),
	};
}

it('lets matrices decay, and neither norms nor biases', () => {
	const { values } = step(new Array(12).fill(0), { weightDecay: 0.5, clipNorm: null });
	for (const name of ['embedding', 'matrix', 'adapter']) {
		for (const value of values.get(name)!) expect(value).toBeCloseTo(0.95, 6);
	}
	expect(values.get('norm')).toEqual([1, 1, 1]);
	expect(values.get('bias')).toEqual([1]);
});

it('scales a gradient that is longer than clipNorm down to it, and no other', () => {
	const gradient = [3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
	const settings = { weightDecay: 0 };
	const free = step(gradient, { ...settings, clipNorm: null });
	expect(free.norm).toBe(5);
	expect(free.firstMoment[0]).toBeCloseTo(0.3, 6);
	const clipped = step(gradient, { ...settings, clipNorm: 0.5 });
	expect(clipped.norm).toBe(5);
	expect(clipped.firstMoment[0]).toBeCloseTo(0.03, 6);
	expect(clipped.firstMoment[4]).toBeCloseTo(0.04, 6);
	expect(step(gradient, { ...settings, clipNorm: 6 }).firstMoment[0]).toBeCloseTo(0.3, 6);
	expect(clipped.gradients).toEqual(new Array(12).fill(0));
});

it('gives back the memory of its moments', () => {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, specs);
	const { liveBytes } = backend.memory();
	const optimizer = createOptimizer(backend, parameters, { weightDecay: 0, clipNorm: null });
	expect(backend.memory().liveBytes).toBeGreaterThan(liveBytes);
	optimizer.free();
	expect(backend.memory().liveBytes).toBe(liveBytes);
});
