import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Activation, Backend } from '../contract.ts';
import { erf } from '../reference/erf.ts';
import { emptyTensor, tensor } from '../testing/tensors.ts';
import { createCpuBackend } from './cpu.ts';
import { describeSets } from './testing.ts';

const geluTanhGate = (x: number) => (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))) / 2;

const exact: Readonly<Record<Activation, (x: number) => number>> = {
	gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
	geluTanh: (x) => x * geluTanhGate(x),
	tanh: Math.tanh,
	silu: (x) => x / (1 + Math.exp(-x)),
};
const kinds = Object.keys(exact) as Activation[];

describeSets('activations on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 1 });
	});
	afterAll(() => backend.close());

	function apply(kind: Activation, values: ArrayLike<number>): ArrayLike<number> {
		const x = tensor(backend, [values.length], values);
		const y = emptyTensor(backend, [values.length]);
		backend.activation(kind, y, x);
		return backend.download(y);
	}

	it.each(kinds)('%s is within 2e-6 of the exact value, relative to it', (kind) => {
		// Where the value itself comes out of a difference in float64, only the absolute distance can be judged.
		const floor = kind === 'gelu' || kind === 'geluTanh' ? 1e-4 : 1e-30;
		const values = Float32Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 1_700);
		const found = apply(kind, values);
		let worst = 0;
		values.forEach((x, i) => {
			const expected = exact[kind](x);
			worst = Math.max(worst, Math.abs(found[i]! - expected) / Math.max(Math.abs(expected), floor));
		});
		expect(worst).toBeLessThan(2e-6);
	});

	it.each(kinds)('%s keeps zeros, NaN and what lies beyond the range of exp', (kind) => {
		const [zero, nan, low, high, highest] = Array.from(apply(kind, [0, Number.NaN, -500, 500, 3e38]));
		expect(zero).toBe(0);
		expect(nan).toBeNaN();
		expect(low).toBeCloseTo(kind === 'tanh' ? -1 : 0, 10);
		expect(high).toBe(kind === 'tanh' ? 1 : 500);
		expect(highest).toBe(kind === 'tanh' ? 1 : Math.fround(3e38));
	});
});
