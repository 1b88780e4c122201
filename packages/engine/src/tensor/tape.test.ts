import { beforeEach, describe, expect, test } from 'vitest';
import type { Backend } from '../backends/contract.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { type CountedBackend, countCalls } from '../backends/testing/counted-backend.ts';
import { activation, add, linear, swiglu } from '../ops/index.ts';
import { Arena } from './arena.ts';
import { Gradients } from './gradients.ts';
import { Tape } from './tape.ts';
import { allocate, type Context, release, type Tensor, upload } from './tensor.ts';

let counted: CountedBackend;
let backend: Backend;
let arena: Arena;
let tape: Tape;
let context: Context;

beforeEach(() => {
	counted = countCalls(createReferenceBackend({ storage: 'f64' }));
	backend = counted.backend;
	arena = new Arena(backend);
	tape = new Tape();
	context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined };
});

/** A trainable parameter with a gradient of zero. */
function parameter(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
	const view = upload(context, Float32Array.from(values), shape);
	const gradient = arena.allocate('f32', shape);
	backend.fill(gradient, 0);
	return { ...view, tracked: true, gradient };
}

const frozen = (values: readonly number[], shape: readonly number[] = [values.length]) =>
	upload(context, Float32Array.from(values), shape);
/** The gradient of an op's output, where the pass needs a tensor that isn't a parameter. */
const tracked = (values: readonly number[]): Tensor => ({ ...frozen(values), tracked: true });
const gradientOf = (tensor: Tensor) => [...backend.download(tensor.gradient!)];
const live = () => backend.memory().liveBuffers;

describe('a backward pass', () => {
	test('goes through the ops from the last to the first and can be run once', () => {
		const p = parameter([0.5]);
		const order: string[] = [];
		let x = p;
		for (const name of ['first', 'second', 'third']) {
			const input = x;
			x = allocate(context, [1], true);
			tape.record(context, {
				name,
				output: x,
				saved: [],
				backward: (gradients, dOutput) => {
					order.push(name);
					gradients.pass(input, dOutput);
				},
			});
		}
		tape.backward(context, x, frozen([3]));
		expect(order).toEqual(['third', 'second', 'first']);
		expect(gradientOf(p)).toEqual([3]);
		tape.backward(context, x, frozen([3]));
		expect(gradientOf(p)).toEqual([3]);
	});

	test('holds what an op saved until its gradient is done, and no longer', () => {
		const p = parameter([1, 2]);
		const squashed = activation(context, 'tanh', p);
		const output = activation(context, 'tanh', squashed);
		expect(arena.holders(squashed)).toBe(2);
		release(context, squashed);
		expect(arena.holders(squashed)).toBe(1);
		const holders: number[] = [];
		const last = allocate(context, [2], true);
		tape.record(context, {
			name: 'probe',
			output: last,
			saved: [],
			backward: (gradients, dOutput) => {
				holders.push(arena.holders(squashed));
				gradients.pass(output, dOutput);
			},
		});
		tape.backward(context, last, frozen([1, 1]));
		expect(holders).toEqual([1]);
		expect(arena.holders(squashed)).toBe(0);
	});

	test('leaves only what the caller holds', () => {
		const p = parameter([1, -2]);
		const direction = frozen([1, 1]);
		const before = live();
		const a = activation(context, 'silu', p);
		const b = add(context, a, p);
		const c = swiglu(context, b, a);
		release(context, a, b);
		tape.backward(context, c, direction);
		release(context, c);
		expect(live()).toBe(before);
	});

	test('skips the ops that the output does not depend on, and gives back what they saved', () => {
		const p = parameter([1, 2]);
		const direction = frozen([1, 1]);
		const before = live();
		const used = activation(context, 'tanh', p);
		const unused = activation(context, 'silu', used);
		release(context, unused);
		const calls = counted.count('activationBackward');
		tape.backward(context, used, direction);
		expect(counted.count('activationBackward') - calls).toBe(1);
		release(context, used);
		expect(live()).toBe(before);
	});

	test('does nothing below the lowest trainable layer', () => {
		const weight = (value: number) => frozen([value, 1, -1, value], [2, 2]);
		const trainable = parameter([1, 0, 0, 1], [2, 2]);
		let x = frozen([1, 2], [1, 2]);
		const layers = [weight(1), weight(2), trainable, weight(3), weight(4)];
		for (const layer of layers) {
			const next = linear(context, x, { weight: layer });
			release(context, x);
			x = next;
		}
		const direction = frozen([1, 1], [1, 2]);
		const held = live();
		tape.backward(context, x, direction);
		// the two layers above pass the gradient down; the trainable one wants none for its input
		expect([counted.count('matmulNN'), counted.count('matmulTN')]).toEqual([2, 1]);
		expect(live()).toBeLessThan(held);
	});

	test('records nothing and keeps nothing where no input is trainable', () => {
		const x = frozen([1, 2]);
		const before = live();
		const y = activation(context, 'tanh', x);
		const z = add(context, y, x);
		release(context, y);
		expect(z.tracked).toBe(false);
		expect(live()).toBe(before + 1);
		const calls = counted.calls.length;
		tape.backward(context, z, frozen([1, 1]));
		expect(counted.calls.slice(calls).filter((name) => /Backward|add/.test(name))).toEqual([]);
	});
});

describe('gradients', () => {
	test('that two tensors share lie in one buffer', () => {
		const [a, b] = [tracked([1, 2]), tracked([3, 4])];
		const gradients = new Gradients(context);
		const dSum = frozen([5, 6]);
		gradients.pass(a, dSum);
		gradients.pass(b, dSum);
		expect(arena.holders(dSum)).toBe(3);
		expect(counted.count('copy')).toBe(0);
		expect(gradients.take(a)!.buffer).toBe(gradients.take(b)!.buffer);
	});

	test('are copied when one of them is added to, and the other keeps its own', () => {
		const [a, b] = [tracked([1, 2]), tracked([3, 4])];
		const gradients = new Gradients(context);
		const dSum = frozen([5, 6]);
		gradients.pass(a, dSum);
		gradients.pass(b, dSum);
		release(context, dSum);
		gradients.pass(a, frozen([10, 10]));
		expect(counted.count('copy')).toBe(1);
		expect([...backend.download(gradients.take(b)!)]).toEqual([5, 6]);
		gradients.pass(a, frozen([1, 1]));
		// its own by now
		expect(counted.count('copy')).toBe(1);
		expect([...backend.download(gradients.take(a)!)]).toEqual([16, 17]);
		expect(gradients.take(a)).toBeUndefined();
	});

	test('of untracked tensors cost nothing', () => {
		const gradients = new Gradients(context);
		const x = frozen([1, 2]);
		const d = frozen([3, 4]);
		const before = live();
		const calls = counted.calls.length;
		gradients.pass(x, d);
		expect(gradients.into(x)).toBeUndefined();
		expect(gradients.take(x)).toBeUndefined();
		expect(counted.calls).toHaveLength(calls);
		expect([live(), arena.holders(d)]).toEqual([before, 1]);
	});

	test('of parameters add up in the place that the parameter names', () => {
		const p = parameter([1, 2]);
		const gradients = new Gradients(context);
		gradients.pass(p, frozen([1, 2]));
		gradients.pass(p, frozen([10, 20]));
		expect(gradients.into(p)).toEqual({ view: p.gradient, accumulate: true });
		expect(gradientOf(p)).toEqual([11, 22]);
	});

	test('are written first and added to after', () => {
		const x = tracked([1, 2]);
		const gradients = new Gradients(context);
		const first = gradients.into(x)!;
		expect(first.accumulate).toBe(false);
		expect(gradients.into(x)).toEqual({ view: first.view, accumulate: true });
	});
});
