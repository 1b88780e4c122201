import { describe, expect, it } from 'vitest';
import { seedsFor } from '../../../../tests/nightly/nightly.ts';
import type { Backend } from '../backends/contract.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { elements, viewOf } from '../backends/view.ts';
import { normalArray, uniform } from '../random/streams.ts';
import { Arena } from '../tensor/arena.ts';
import { checkpoint } from '../tensor/checkpoint.ts';
import { uploadIndices, uploadRanges, uploadSegments, uploadTargets } from '../tensor/indices.ts';
import { Tape } from '../tensor/tape.ts';
import { type Context, constant, release, type Tensor, upload } from '../tensor/tensor.ts';
import {
	activation,
	add,
	attention,
	concatRows,
	dropout,
	focalLoss,
	focalOfNegLogP,
	fusedAttention,
	gatherRows,
	joinColumns,
	layerNorm,
	linear,
	linearCrossEntropy,
	multiply,
	poolRows,
	rmsNorm,
	rope,
	splitColumns,
	swiglu,
} from './index.ts';

/**
 * Every op's gradient against central differences, in float64 storage: the derivative of Σ output · direction with
 * respect to every element of every input.
 */
interface Case {
	readonly name: string;
	/** Shapes of the trainable inputs. */
	readonly inputs: readonly (readonly number[])[];
	readonly run: (context: Context, inputs: readonly Tensor[]) => Tensor;
	readonly dropoutSeed?: number;
}

/** What the shapes of the cases are made of. */
interface Sizes {
	/** Tokens, at least 5. */
	readonly T: number;
	/** Width of a state. */
	readonly H: number;
	/** Width of an attention head, even. */
	readonly D: number;
	/** Query heads on each key and value head. */
	readonly G: number;
	/** Vocabulary, at least 9. */
	readonly V: number;
}

const plain: Sizes = { T: 5, H: 6, D: 2, G: 2, V: 9 };

/** Sizes that a seed draws. */
function drawSizes(seed: number): Sizes {
	const size = (index: number, from: number, to: number) =>
		from + Math.floor((to + 1 - from) * uniform(seed, 0, index));
	const sizes = { T: size(0, 5, 9), H: size(1, 2, 9), D: 2 * size(2, 1, 3), G: size(3, 1, 3) };
	return { ...sizes, V: size(4, 9, 14) };
}

const indices = (context: Context, values: readonly number[]) =>
	uploadIndices(context, Int32Array.from(values));
const targets = (context: Context, values: readonly number[]) =>
	uploadTargets(context, Int32Array.from(values));
const ranges = (context: Context, values: readonly number[], shape: readonly [number, number]) =>
	uploadRanges(context, Int32Array.from(values), shape);
const segments = (context: Context, starts: readonly number[], parents?: readonly number[]) =>
	uploadSegments(context, Int32Array.from(starts), parents && Int32Array.from(parents));

type WeightCase = [
	name: string,
	x: readonly number[],
	weight: readonly number[],
	run: (context: Context, x: Tensor, weight: Tensor) => Tensor,
];

/** Ops whose weight is a tensor of the pass that its maker has released. */
function weightCases(cases: readonly WeightCase[]): Case[] {
	return cases.map(([name, x, weight, run]) => ({
		name: `${name}, given a weight that is released at once`,
		inputs: [x, weight],
		run: (c, [input, w]) => {
			const doubled = add(c, w!, w!);
			const output = run(c, input!, doubled);
			release(c, doubled);
			return output;
		},
	}));
}

/** An adapter of which one matrix is given and the other one drawn. */
function adapted(context: Context, H: number, { a, b }: { readonly a?: Tensor; readonly b?: Tensor }) {
	const drawn = (stream: number, shape: readonly number[]): Tensor => ({
		...upload(context, normalArray(4, stream, elements(shape)), shape),
		tracked: true,
	});
	return {
		weight: upload(context, normalArray(3, 1, 3 * H), [3, H]),
		lora: { a: a ?? drawn(1, [2, H]), b: b ?? drawn(2, [3, 2]), scale: 1.5, dropout: 0, site: 0 },
	};
}

/** As many numbers as there are tokens. */
function perToken(T: number, values: readonly number[]): number[] {
	return Array.from({ length: T }, (_, t) => values[t % values.length]!);
}

function casesOf({ T, H, D, G, V }: Sizes): Case[] {
	const qkv = { heads: 2 * G, keyValueHeads: 2, headDim: D, scale: 0.7 };
	const attentionInputs = [
		[T, 2 * G * D],
		[T, 2 * D],
		[T, 2 * D],
	];
	return [
		{
			name: 'add',
			inputs: [
				[T, H],
				[T, H],
			],
			run: (c, [a, b]) => add(c, a!, b!),
		},
		{ name: 'add of a tensor to itself', inputs: [[T, H]], run: (c, [a]) => add(c, a!, a!) },
		{
			name: 'linear',
			inputs: [[T, H], [3, H], [3]],
			run: (c, [x, w, b]) => linear(c, x!, { weight: w!, bias: b! }),
		},
		{
			name: 'linear with an adapter',
			inputs: [
				[T, H],
				[2, H],
				[3, 2],
			],
			run: (c, [x, a, b]) =>
				linear(c, x!, {
					weight: constant(upload(c, normalArray(3, 1, 3 * H), [3, H])),
					lora: { a: a!, b: b!, scale: 1.5, dropout: 0, site: 0 },
				}),
		},
		{
			name: 'linear with an adapter and dropout',
			inputs: [
				[T, H],
				[2, H],
				[3, 2],
			],
			dropoutSeed: 7,
			run: (c, [x, a, b]) =>
				linear(c, x!, {
					weight: constant(upload(c, normalArray(3, 1, 3 * H), [3, H])),
					lora: { a: a!, b: b!, scale: 1.5, dropout: 0.3, site: 11 },
				}),
		},
		{ name: 'dropout', inputs: [[T, H]], dropoutSeed: 5, run: (c, [x]) => dropout(c, x!, 0.4, 3) },
		{ name: 'rmsNorm', inputs: [[T, H], [H]], run: (c, [x, w]) => rmsNorm(c, x!, w!, 1e-5) },
		{
			name: 'layerNorm',
			inputs: [[T, H], [H], [H]],
			run: (c, [x, w, b]) => layerNorm(c, x!, w!, b!, 1e-5),
		},
		{
			name: 'layerNorm without bias',
			inputs: [[T, H], [H]],
			run: (c, [x, w]) => layerNorm(c, x!, w!, undefined, 1e-5),
		},
		{
			name: 'rope',
			inputs: [[T, 4 * D]],
			run: (c, [x]) => {
				const angles = normalArray(9, 2, T * D);
				const cos = upload(c, angles.map(Math.cos), [T, D]);
				const sin = upload(c, angles.map(Math.sin), [T, D]);
				return rope(c, x!, { cos, sin }, 2 * D);
			},
		},
		...[true, false].flatMap((causal) =>
			[
				[0, T],
				[0, 1, 3, T],
			].map((starts) => ({
				name: `attention, ${causal ? 'causal' : 'both ways'}, ${starts.length - 1} segments`,
				inputs: attentionInputs,
				run: (c: Context, [q, k, v]: readonly Tensor[]) =>
					attention(c, q!, k!, v!, segments(c, starts), { ...qkv, causal }),
			})),
		),
		{
			name: 'fused attention',
			inputs: [[T, (2 * G + 4) * D]],
			run: (c, [x]) => fusedAttention(c, x!, segments(c, [0, 2, T]), { ...qkv, causal: true }),
		},
		...[true, false].map((causal) => ({
			name: `attention in a window, ${causal ? 'causal' : 'both ways'}`,
			inputs: attentionInputs,
			run: (c: Context, [q, k, v]: readonly Tensor[]) =>
				attention(c, q!, k!, v!, segments(c, [0, T]), { ...qkv, causal, window: 2 }),
		})),
		{
			name: 'split columns',
			inputs: [[T, 2 * 3 * D]],
			run: (c, [x]) => {
				const [q, k, v] = splitColumns(c, x!, 2, 3);
				return add(c, q!, add(c, q!, swiglu(c, k!, v!)));
			},
		},
		{
			name: 'rmsNorm of each head',
			inputs: [[T, G * H], [H]],
			run: (c, [x, weight]) => rmsNorm(c, x!, weight!, 1e-5, G),
		},
		{
			name: 'attention, two segments with a common parent',
			inputs: attentionInputs,
			run: (c, [q, k, v]) =>
				attention(c, q!, k!, v!, segments(c, [0, 2, 3, T], [-1, 0, 0]), { ...qkv, causal: true }),
		},
		{
			name: 'swiglu',
			inputs: [
				[T, H],
				[T, H],
			],
			run: (c, [gate, up]) => swiglu(c, gate!, up!),
		},
		{
			name: 'concatRows',
			inputs: [
				[T, H],
				[2, H],
			],
			run: (c, [a, b]) => concatRows(c, b!, add(c, a!, a!)),
		},
		{
			name: 'multiply',
			inputs: [
				[T, H],
				[T, H],
			],
			run: (c, [a, b]) => multiply(c, a!, b!),
		},
		...(['gelu', 'geluTanh', 'tanh', 'silu'] as const).map((kind) => ({
			name: `activation ${kind}`,
			inputs: [[T, H]],
			run: (c: Context, [x]: readonly Tensor[]) => activation(c, kind, x!),
		})),
		{ name: 'gatherRows', inputs: [[T, H]], run: (c, [x]) => gatherRows(c, x!, indices(c, [4, 0, 4, 2])) },
		...(['mean', 'max'] as const).map((kind) => ({
			name: `poolRows ${kind}`,
			inputs: [[T, H]],
			run: (c: Context, [x]: readonly Tensor[]) => poolRows(c, kind, x!, ranges(c, [0, 2, 3, 5], [2, 2])),
		})),
		...(['mean', 'max'] as const).map((kind) => ({
			name: `poolRows ${kind} with common rows`,
			inputs: [[T, H]],
			run: (c: Context, [x]: readonly Tensor[]) =>
				poolRows(c, kind, x!, ranges(c, [0, 2, 2, 3, 0, 2, 4, 4, 0, 0, 3, 5], [3, 4])),
		})),
		{
			name: 'joinColumns',
			inputs: [
				[T, H],
				[T, H],
			],
			run: (c, [a, b]) => add(c, joinColumns(c, [a!, b!]), joinColumns(c, [add(c, b!, a!), a!])),
		},
		{
			name: 'mean and maximum of the same rows, one behind the other',
			inputs: [[T, H]],
			run: (c, [x]) => {
				const rows = ranges(c, [0, 2, 2, 3, 0, 2, 4, 4, 0, 0, 3, 5], [3, 4]);
				return joinColumns(c, [poolRows(c, 'mean', x!, rows), poolRows(c, 'max', x!, rows)]);
			},
		},
		...(['full'] as const).flatMap((gradient) =>
			[0, 1, 2.5].map((gamma) => ({
				name: `focalLoss γ ${gamma}`,
				inputs: [[4, 3]],
				run: (c: Context, [x]: readonly Tensor[]) => {
					const weights = upload(c, Float32Array.of(1, 0.5, 2, 1));
					return focalLoss(c, x!, indices(c, [0, 2, 1, 1]), weights, { gamma, gradient }).losses;
				},
			})),
		),
		{
			name: 'linearCrossEntropy',
			inputs: [
				[T, H],
				[V, H],
			],
			run: (c, [x, w]) => linearCrossEntropy(c, x!, w!, targets(c, perToken(T, [3, 8, -100, 0, 3]))),
		},
		...weightCases([
			['linear', [T, H], [3, H], (c, x, w) => linear(c, x, { weight: w })],
			[
				'linearCrossEntropy',
				[T, H],
				[V, H],
				(c, x, w) => linearCrossEntropy(c, x, w, targets(c, perToken(T, [3, 8, 1, 0, 3]))),
			],
			['rmsNorm', [T, H], [H], (c, x, w) => rmsNorm(c, x, w, 1e-5)],
			['layerNorm', [T, H], [H], (c, x, w) => layerNorm(c, x, w, undefined, 1e-5)],
			["an adapter's A", [T, H], [2, H], (c, x, a) => linear(c, x, adapted(c, H, { a }))],
			["an adapter's B", [T, H], [3, 2], (c, x, b) => linear(c, x, adapted(c, H, { b }))],
		]),
		{
			name: 'focalOfNegLogP after linearCrossEntropy',
			inputs: [
				[T, H],
				[V, H],
			],
			run: (c, [x, w]) => {
				const negLogP = linearCrossEntropy(c, x!, w!, targets(c, perToken(T, [3, 8, 1, 0, 3])));
				const weights = upload(c, Float32Array.from(perToken(T, [1, 0.5, 2, 1, 1])));
				return focalOfNegLogP(c, negLogP, weights, { gamma: 1.5, gradient: 'full' });
			},
		},
		{
			name: 'a checkpointed block that passes its gradient on as it is',
			inputs: [
				[T, H],
				[T, H],
			],
			run: (c, [x, other]) => {
				const doubled = add(c, x!, x!);
				const out = checkpoint(c, doubled, [], (inner, input) => add(inner, input, other!));
				release(c, doubled);
				return activation(c, 'tanh', out);
			},
		},
		{
			name: 'a checkpointed block that is its input',
			inputs: [[T, H]],
			run: (c, [x]) => {
				const doubled = add(c, x!, x!);
				const out = checkpoint(c, doubled, [], (_, input) => input);
				release(c, doubled);
				return add(c, out, x!);
			},
		},
		{
			name: 'a checkpointed block with a residual',
			inputs: [[T, H], [H], [H, H]],
			run: (c, [x, norm, w]) => {
				const doubled = add(c, x!, x!);
				const out = checkpoint(c, doubled, [], (inner, input) => {
					const normed = rmsNorm(inner, input, norm!, 1e-5);
					const projected = linear(inner, normed, { weight: w! });
					const sum = add(inner, input, projected);
					release(inner, normed, projected);
					return sum;
				});
				release(c, doubled);
				return add(c, out, x!);
			},
		},
	];
}

const cases = casesOf(plain);
const drawn = seedsFor('gradients', { suite: 3, nightly: 100 }).flatMap((seed) =>
	casesOf(drawSizes(seed)).map((one) => ({ ...one, name: `${one.name}, sizes drawn from ${seed}` })),
);

describe('gradients of the ops', () => {
	it.each([...cases, ...drawn])('$name', (testCase) => {
		const backend = createReferenceBackend({ storage: 'f64' });
		const values = testCase.inputs.map((shape, i) => Float64Array.from(normalArray(1, i, elements(shape))));
		const analytic = gradientsOf(backend, testCase, values);
		for (const [i, input] of values.entries()) {
			for (let j = 0; j < input.length; j++) {
				const step = 1e-5;
				const at = input[j]!;
				input[j] = at + step;
				const above = weightedSum(backend, testCase, values);
				input[j] = at - step;
				const below = weightedSum(backend, testCase, values);
				input[j] = at;
				const numeric = (above - below) / (2 * step);
				expect(Math.abs(analytic[i]![j]! - numeric)).toBeLessThan(1e-6 * Math.max(1, Math.abs(numeric)));
			}
		}
		expect(backend.memory().liveBuffers).toBe(0);
	});

	it('accumulates over several passes and leaves no buffer behind', () => {
		const backend = createReferenceBackend({ storage: 'f64' });
		const testCase = cases.find(({ name }) => name === 'linear')!;
		const values = testCase.inputs.map((shape, i) => Float64Array.from(normalArray(1, i, elements(shape))));
		const once = gradientsOf(backend, testCase, values);
		const twice = gradientsOf(backend, testCase, values, 2);
		for (const [i, gradient] of once.entries()) {
			for (const [j, value] of gradient.entries()) expect(twice[i]![j]).toBeCloseTo(2 * value, 12);
		}
	});

	it('frees what a checkpointed block made if it fails the second time', () => {
		const backend = createReferenceBackend();
		const arena = new Arena(backend);
		const tape = new Tape();
		const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined };
		const input: Tensor = { ...upload(context, Float32Array.of(1, 2)), tracked: true };
		let calls = 0;
		const output = checkpoint(context, input, [], (inner, x) => {
			const sum = add(inner, x, x);
			if (++calls === 2) throw new Error('no memory');
			return sum;
		});
		const direction = upload(context, Float32Array.of(1, 1));
		expect(() => tape.backward(context, output, direction)).toThrow('no memory');
		arena.close();
		expect(backend.memory().liveBuffers).toBe(0);
	});

	it('throws with the name of an op that has no rule', () => {
		const backend = createReferenceBackend();
		const arena = new Arena(backend);
		const tape = new Tape();
		const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined };
		const output: Tensor = { ...upload(context, Float32Array.of(1)), tracked: true };
		tape.record(context, { name: 'mystery', output, saved: [], backward: undefined });
		expect(() => tape.backward(context, output, upload(context, Float32Array.of(1)))).toThrow(/mystery/);
		arena.close();
	});
});

/** Σ output · direction, with a fixed random direction. */
function weightedSum(backend: Backend, testCase: Case, values: readonly Float64Array[]): number {
	const arena = new Arena(backend);
	const dropoutSeed = testCase.dropoutSeed;
	const context: Context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed };
	const inputs = values.map((data, i) => {
		const view = arena.allocate('f32', testCase.inputs[i]!);
		backend.upload(view, data);
		return constant(view);
	});
	const output = backend.download(testCase.run(context, inputs));
	const direction = normalArray(2, 0, output.length);
	arena.close();
	let sum = 0;
	for (const [i, value] of output.entries()) sum += value * direction[i]!;
	return sum;
}

function gradientsOf(
	backend: Backend,
	testCase: Case,
	values: readonly Float64Array[],
	passes = 1,
): Float64Array[] {
	const arena = new Arena(backend);
	const dropoutSeed = testCase.dropoutSeed;
	const inputs = values.map((data, i): Tensor => {
		const shape = testCase.inputs[i]!;
		const view = arena.allocate('f32', shape);
		backend.upload(view, data);
		const gradient = viewOf(arena.allocate('f32', shape).buffer, shape);
		backend.fill(gradient, 0);
		return { ...view, tracked: true, gradient };
	});
	for (let pass = 0; pass < passes; pass++) {
		const tape = new Tape();
		const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed };
		const output = testCase.run(context, inputs);
		const direction = upload(context, normalArray(2, 0, elements(output.shape)), output.shape);
		tape.backward(context, output, direction);
	}
	const gradients = inputs.map((input) => Float64Array.from(backend.download(input.gradient!)));
	arena.close();
	return gradients;
}
