import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { countCalls } from '../backends/testing/counted-backend.ts';
import { elements } from '../backends/view.ts';
import { add, dropout, linear, rmsNorm } from '../ops/index.ts';
import { normalArray } from '../random/streams.ts';
import { Arena } from './arena.ts';
import { checkpoint, scoped } from './checkpoint.ts';
import { Tape } from './tape.ts';
import { type Context, release, type Tensor, upload } from './tensor.ts';

const [T, H] = [3, 4];

function setUp() {
	const counted = countCalls(createReferenceBackend({ storage: 'f64' }));
	const { backend } = counted;
	const arena = new Arena(backend);
	const tape = new Tape();
	const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: 7 };
	let stream = 0;
	const parameter = (shape: readonly number[]): Tensor => {
		const view = upload(context, normalArray(1, stream++, elements(shape)), shape);
		const gradient = arena.allocate('f32', shape);
		backend.fill(gradient, 0);
		return { ...view, tracked: true, gradient };
	};
	return { ...counted, arena, tape, context, parameter, live: () => backend.memory().liveBuffers };
}

/** A pass through three residual blocks; what comes out, the gradients, and how much was alive between the passes. */
function run(checkpointing: boolean) {
	const { backend, arena, tape, context, parameter, live, count } = setUp();
	const input = parameter([T, H]);
	const blocks = Array.from({ length: 3 }, () => ({ norm: parameter([H]), weight: parameter([H, H]) }));
	const direction = upload(context, normalArray(2, 0, T * H), [T, H]);
	const before = live();
	let x: Tensor = input;
	for (const [site, { norm, weight }] of blocks.entries()) {
		const block = (inner: Context, start: Tensor) => {
			const normed = rmsNorm(inner, start, norm, 1e-5);
			const projected = linear(inner, normed, { weight });
			const dropped = dropout(inner, projected, 0.3, site);
			const sum = add(inner, start, dropped);
			release(inner, normed, projected, dropped);
			return sum;
		};
		const next = checkpointing ? checkpoint(context, x, [], block) : block(context, x);
		if (x !== input) release(context, x);
		x = next;
	}
	const between = live() - before;
	const output = [...backend.download(x)];
	const products = count('linearForward');
	tape.backward(context, x, direction);
	release(context, x);
	const parameters = [input, ...blocks.flatMap(({ norm, weight }) => [norm, weight])];
	const gradients = parameters.map(({ gradient }) => [...backend.download(gradient!)]);
	const left = live() - before;
	arena.close();
	return { output, gradients, between, left, again: count('linearForward') - products, end: live() };
}

describe('a checkpointed pass', () => {
	const [plain, checkpointed] = [run(false), run(true)];

	test('gives the same output and the same gradients, dropout included', () => {
		expect(checkpointed.output).toEqual(plain.output);
		expect(checkpointed.gradients).toEqual(plain.gradients);
		for (const gradient of plain.gradients) expect(gradient.some((value) => value !== 0)).toBe(true);
	});

	test('keeps only the inputs of its blocks, and computes each block once more', () => {
		expect(checkpointed.between).toBe(3);
		expect(plain.between).toBeGreaterThan(checkpointed.between);
		expect([plain.again, checkpointed.again]).toEqual([0, 3]);
	});

	test('leaves nothing behind', () => {
		for (const { left, end } of [plain, checkpointed]) expect([left, end]).toEqual([0, 0]);
	});
});

test('a block that nothing trainable goes through is not computed again', () => {
	const { tape, context, count, live } = setUp();
	const x = upload(context, normalArray(1, 0, T * H), [T, H]);
	const before = live();
	const out = checkpoint(context, x, [], (inner, input) => add(inner, input, input));
	expect([out.tracked, live()]).toEqual([false, before + 1]);
	tape.backward(context, out, x);
	expect(count('add')).toBe(1);
});

test('what a scope makes is gone with it, except its result, even where it fails', () => {
	const { context, live } = setUp();
	const x = upload(context, Float32Array.of(1, 2));
	const before = live();
	const sum = scoped(context, (inner) => {
		add(inner, x, x);
		return add(inner, x, x);
	});
	expect(live()).toBe(before + 1);
	expect([...context.backend.download(sum)]).toEqual([2, 4]);
	const failing = () =>
		scoped(context, (inner) => {
			add(inner, x, x);
			throw new Error('in the middle');
		});
	expect(failing).toThrow('in the middle');
	expect(live()).toBe(before + 1);
	// a scope that is its input hands out one more hold on it
	expect(scoped(context, () => x)).toBe(x);
	expect(context.arena.holders(x)).toBe(2);
});
