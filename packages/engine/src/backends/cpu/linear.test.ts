import { afterAll, beforeAll, expect, it } from 'vitest';
import { composedLinear } from '../compose-kernels.ts';
import type { Backend, Dropout } from '../contract.ts';
import { drawFromPool, relativeDistance } from '../testing/tensors.ts';
import { elements } from '../view.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets, tensor, testableSets } from './testing.ts';

/** What the agreement tests have no room for: [tokens, inputs] and each layer's outputs, rank and dropout. */
const cases = [
	[
		'a rank beyond what is added in the same sums',
		[9, 40],
		[
			[20, 700, 0],
			[30, 8, 0],
		],
	],
	[
		'dropout in one layer alone',
		[9, 40],
		[
			[20, 4, 0],
			[30, 8, 0.3],
		],
	],
	['an input that is packed in several parts', [150, 64_000], [[3, 2, 0]]],
] as const satisfies readonly (readonly [
	string,
	readonly [number, number],
	readonly (readonly [number, number, number])[],
])[];

describeSets('layers with adapters on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());

	// the largest case takes seconds, and how rows are dealt out is not a matter of the instruction set
	const inFloats = isa === testableSets[0] ? cases : cases.slice(0, 2);
	it.each([
		...inFloats.map((one) => ['fp32', ...one] as const),
		...cases.slice(0, 2).map((one) => ['int8', ...one] as const),
	])('agree with their products one by one in %s: %s', (precision, _, [tokens, inputs], shapes) => {
		const run = ({ linearForward, linearBackward }: ReturnType<typeof composedLinear>) => {
			const draw = drawFromPool(1);
			const random = (...shape: number[]) => tensor(backend, shape, draw.normal(elements(shape)));
			const x = random(tokens, inputs);
			const layers = shapes.map(([outputs, rank, probability], stream) => ({
				y: random(tokens, outputs),
				weight: random(outputs, inputs),
				lora: {
					...{ h: random(tokens, rank), a: random(rank, inputs), b: random(outputs, rank), scale: 0.5 },
					dropout: (probability === 0 ? undefined : { seed: 3, stream, probability }) as Dropout | undefined,
				},
			}));
			linearForward(x, layers, precision);
			const results = layers.flatMap(({ y, weight, lora }) => {
				const [dx, dA, dB] = [random(tokens, inputs), random(...lora.a.shape), random(...lora.b.shape)];
				const added = (view: typeof x) => ({ view, accumulate: true });
				const gradients = { dx: added(dx), dA: added(dA), dB: added(dB) };
				linearBackward(gradients, { x, weight, ...lora }, y, { ...lora, precision });
				return [y, lora.h, dx, dA, dB];
			});
			const values = results.map((view) => backend.download(view));
			const made = new Set([x, ...layers.flatMap((l) => [l.weight, l.lora.a, l.lora.b]), ...results]);
			for (const { buffer } of made) backend.free(buffer);
			return values;
		};
		const [together, apart] = [run(backend), run(composedLinear(backend))];
		for (const [i, values] of together.entries()) {
			expect(relativeDistance(values, apart[i]!), `output ${i}`).toBeLessThan(1e-5);
		}
	});
});
