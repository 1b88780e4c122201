import { Arena, type Context, createReferenceBackend, Tape, type Tensor, upload } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { pairLosses } from './pair-loss.ts';
import { type PairLossKind, pairLossKinds } from './pair-loss-kinds.ts';

const backend = createReferenceBackend({ storage: 'f64' });
const labels = Int32Array.of(1, 0, 0, 1, 1);
// the first two are a pair, and the third and the fourth; the fifth has no partner here
const partners = Int32Array.of(1, 0, 3, 2, 4);
const logits = [0.3, -0.2, 0.1, 0.6, -0.4, 0.5, 0.9, 0.2, 0.7, -0.3]; // [5, 2]
const states = [1, 2, -1, 0.5, 1, 1, 2, -1, 0.3, -0.2, 0.4, 1, 0.1, 0.2, 0.3]; // [5, 3]

/** Losses, and the gradients of their sum weighed by 1, 2, 3, … */
function run(kind: PairLossKind, logitValues: readonly number[], stateValues: readonly number[], weight = 2) {
	const arena = new Arena(backend);
	const tape = new Tape();
	const context: Context = { backend, arena, tape, precision: 'fp32', dropoutSeed: undefined };
	const leaf = (values: readonly number[], columns: number): Tensor => {
		const shape = [values.length / columns, columns];
		const x = upload(context, Float32Array.from(values), shape);
		backend.upload(x, Float64Array.from(values));
		return { ...x, tracked: true, gradient: upload(context, new Float32Array(values.length), shape) };
	};
	try {
		const inputs = [leaf(logitValues, 2), leaf(stateValues, 3)] as const;
		const losses = pairLosses(context, ...inputs, labels, { kind, weight, partners });
		const values = Array.from(backend.download(losses));
		const direction = upload(
			context,
			Float32Array.from(values, (_, f) => f + 1),
		);
		tape.backward(context, losses, direction);
		return { values, gradients: inputs.map(({ gradient }) => Array.from(backend.download(gradient!))) };
	} finally {
		arena.close();
	}
}

const softplus = (x: number) => Math.log1p(Math.exp(x));

describe('the loss of a pair', () => {
	it('is that of the log odds in the right order for rank, half of it at either function', () => {
		const { values } = run('rank', logits, states);
		const odds = (f: number) => logits[2 * f + 1]! - logits[2 * f]!;
		const first = softplus(odds(1) - odds(0));
		const second = softplus(odds(2) - odds(3));
		for (const [f, expected] of [first, first, second, second, 0].entries()) {
			expect(values[f]).toBeCloseTo(expected, 6);
		}
	});

	it('grows with the cosine of the states for contrastive', () => {
		const { values } = run('contrastive', logits, states);
		const state = (f: number) => states.slice(3 * f, 3 * f + 3);
		const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
		const cosine = (a: number, b: number) =>
			dot(state(a), state(b)) / Math.sqrt(dot(state(a), state(a)) * dot(state(b), state(b)));
		for (const [f, expected] of [cosine(0, 1), cosine(0, 1), cosine(2, 3), cosine(2, 3)].entries()) {
			expect(values[f]).toBeCloseTo(softplus(expected / 0.1), 4);
		}
		expect(values[4]).toBe(0);
	});

	it('counts as its weight says', () => {
		for (const kind of pairLossKinds) {
			const [once, thrice] = [run(kind, logits, states, 1), run(kind, logits, states, 3)];
			for (const [f, value] of thrice.values.entries()) expect(value).toBeCloseTo(3 * once.values[f]!, 6);
		}
	});

	it.each(pairLossKinds)('has the gradient of central differences: %s', (kind) => {
		const { gradients } = run(kind, logits, states);
		const weighed = (l: readonly number[], s: readonly number[]) =>
			run(kind, l, s).values.reduce((sum, value, f) => sum + (f + 1) * value, 0);
		const step = 1e-5;
		const shift = (values: readonly number[], place: number, by: number) =>
			values.map((value, i) => (i === place ? value + by : value));
		for (const place of logits.keys()) {
			const [up, down] = [step, -step].map((by) => weighed(shift(logits, place, by), states));
			expect(gradients[0]![place]).toBeCloseTo((up! - down!) / (2 * step), 5);
		}
		for (const place of states.keys()) {
			const [up, down] = [step, -step].map((by) => weighed(logits, shift(states, place, by)));
			expect(gradients[1]![place]).toBeCloseTo((up! - down!) / (2 * step), 4);
		}
		expect(gradients[kind === 'rank' ? 0 : 1]!.some((value) => Math.abs(value) > 0.01)).toBe(true);
	});
});
