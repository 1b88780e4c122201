import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { countCalls } from '../backends/testing/counted-backend.ts';
import { elements } from '../backends/view.ts';
import { add, linear, rmsNorm } from '../ops/index.ts';
import { normalArray } from '../random/streams.ts';
import { Arena } from './arena.ts';
import { Tape } from './tape.ts';
import { type Context, release, type Tensor, upload } from './tensor.ts';

const [T, H] = [3, 4];

/** Two layers on one normalised input; `keep` has the tape hold what the recipe would make. */
function run(keep: boolean) {
	const { backend, count } = countCalls(createReferenceBackend({ storage: 'f64' }));
	const arena = new Arena(backend);
	const tape = new Tape();
	const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined };
	let stream = 0;
	const parameter = (shape: readonly number[]): Tensor => {
		const view = upload(context, normalArray(1, stream++, elements(shape)), shape);
		const gradient = arena.allocate('f32', shape);
		backend.fill(gradient, 0);
		return { ...view, tracked: true, gradient };
	};
	const [x, norm, first, second] = [
		parameter([T, H]),
		parameter([H]),
		parameter([H, H]),
		parameter([H, H]),
	] as const;
	const before = backend.memory().liveBuffers;
	const normed = rmsNorm(context, x, norm, 1e-5);
	if (keep) delete (normed as { recipe?: unknown }).recipe;
	const a = linear(context, normed, { weight: first });
	const b = linear(context, normed, { weight: second });
	const sum = add(context, a, b);
	release(context, normed, a, b);
	const kept = backend.memory().liveBuffers - before;
	const norms = count('rmsNorm');
	const direction = upload(context, normalArray(2, 0, T * H), [T, H]);
	tape.backward(context, sum, direction);
	release(context, sum, direction);
	const gradients = [x, norm, first, second].map(({ gradient }) => [...backend.download(gradient!)]);
	const left = backend.memory().liveBuffers - before;
	arena.close();
	return { gradients, kept, again: count('rmsNorm') - norms, left };
}

test('a tensor with a recipe is not kept, but made again once for all that need it', () => {
	const [kept, remade] = [run(true), run(false)];
	expect(remade.gradients).toEqual(kept.gradients);
	expect(kept.kept - remade.kept).toBe(1);
	expect([kept.again, remade.again]).toEqual([0, 1]);
	expect([kept.left, remade.left]).toEqual([0, 0]);
});
