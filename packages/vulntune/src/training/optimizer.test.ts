import { createParameters, createReferenceBackend, elements } from '@vulntune/engine';
import { expect, it } from 'vitest';
import type { OptimizerName } from './moments.ts';
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
		firstMoment: read(optimizer.moments.get('first-moment.f32')!),
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

it.each(['adamw', 'adamw8bit'] as const)('gives back the memory of the moments of %s', (name) => {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, specs);
	const { liveBytes } = backend.memory();
	const optimizer = createOptimizer(backend, parameters, { name, weightDecay: 0, clipNorm: null });
	expect(backend.memory().liveBytes).toBeGreaterThan(liveBytes);
	optimizer.free();
	expect(backend.memory().liveBytes).toBe(liveBytes);
});

/** Parameters after so many steps on gradients of another size in every tensor, and the moments. */
function trained(name: OptimizerName, steps: number) {
	const backend = createReferenceBackend();
	const shapes = [[3, 100], [7], [2, 300], [260]];
	const parameters = createParameters(
		backend,
		shapes.map((shape, i) => ({ name: `${i}`, shape })),
	);
	backend.fill(parameters.values, 1);
	const optimizer = createOptimizer(backend, parameters, { name, weightDecay: 0.05, clipNorm: null });
	const sizes = shapes.flatMap((shape, i) => new Array(elements(shape)).fill(10 ** (2 - 2 * i)));
	for (let step = 1; step <= steps; step++) {
		const gradients = sizes.map((size, i) => size * Math.sin(i * 0.7 + step * 0.3));
		backend.upload(parameters.gradients, Float32Array.from(gradients));
		optimizer.step(step, 0.01);
	}
	const values = Array.from(backend.download(parameters.values));
	return { values, sizes, moments: optimizer.moments };
}

it('goes nearly where float32 goes with moments in 8 bits, whatever the sizes of neighbouring gradients', () => {
	const [exact, quantized] = [trained('adamw', 30), trained('adamw8bit', 30)];
	const distances = exact.values.map((value, i) => Math.abs(value - quantized.values[i]!));
	const farthest = (size: number) => Math.max(...distances.filter((_, i) => exact.sizes[i] === size));
	// the way of a parameter is up to 0.3; tensors of other sizes of gradients have scales of their own where decay ends or begins
	for (const size of [100, 1, 0.01, 0.0001]) expect(farthest(size)).toBeLessThan(0.02);
	expect(Math.max(...distances)).toBeGreaterThan(0);
});

it('keeps two bytes a weight in 8 bits, and a scale for each block of 256 within what decays alike', () => {
	const { moments } = trained('adamw8bit', 1);
	const sizes = Array.from(moments, ([name, { dtype, shape }]) => [name, dtype, shape[0]]);
	expect(sizes).toEqual([
		['first-moment.u8', 'u8', 1167],
		['first-moment-absmax.f32', 'f32', 2 + 1 + 3 + 2],
		['second-moment.u8', 'u8', 1167],
		['second-moment-absmax.f32', 'f32', 8],
	]);
});
