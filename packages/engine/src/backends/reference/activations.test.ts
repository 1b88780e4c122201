import { describe, expect, it } from 'vitest';
import type { Activation } from '../contract.ts';
import { expectGradients } from '../testing/finite-differences.ts';
import { drawFrom, emptyTensor, numbersOf, tensor } from '../testing/tensors.ts';
import { createReferenceBackend } from './reference-backend.ts';

const backend = createReferenceBackend({ storage: 'f64' });
const kinds: readonly Activation[] = ['gelu', 'geluTanh', 'tanh', 'silu'];

describe('activations of the reference backend', () => {
	it.each<[Activation, readonly number[]]>([
		// x Φ(x), Φ(1) = 0.8413447460685429
		['gelu', [0, 0.8413447460685429, -0.15865525393145707]],
		['geluTanh', [0, 0.8411919906082768, -0.15880800939172324]],
		['tanh', [0, 0.7615941559557649, -0.7615941559557649]],
		['silu', [0, 0.7310585786300049, -0.2689414213699951]],
	])('knows %s at 0, 1 and −1', (kind, expected) => {
		const y = emptyTensor(backend, [3]);
		backend.activation(kind, y, tensor(backend, [3], [0, 1, -1]));
		numbersOf(backend, y).forEach((value, i) => {
			expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(1e-15);
		});
	});

	it.each(kinds)('keeps %s and its derivative finite far out', (kind) => {
		const x = tensor(backend, [2], [1000, -1000]);
		const y = emptyTensor(backend, [2]);
		const dx = { view: emptyTensor(backend, [2]), accumulate: false };
		backend.activation(kind, y, x);
		backend.activationBackward(kind, dx, tensor(backend, [2], [1, 1]), x);
		const limits = kind === 'tanh' ? [1, -1] : [1000, 0];
		expect(numbersOf(backend, y).map((value) => value + 0)).toEqual(limits);
		expect(numbersOf(backend, dx.view).map((value) => value + 0)).toEqual(kind === 'tanh' ? [0, 0] : [1, 0]);
	});

	it.each(kinds)('differentiates %s', (kind) => {
		const x = tensor(backend, [40], drawFrom(1).normal(40, 2));
		const y = emptyTensor(backend, [40]);
		expectGradients(backend, {
			inputs: { x },
			forward: () => {
				backend.activation(kind, y, x);
				return y;
			},
			backward: (dy) => {
				const dx = { view: emptyTensor(backend, [40]), accumulate: false };
				backend.activationBackward(kind, dx, dy, x);
				return { x: dx.view };
			},
		});
	});

	it('adds to a gradient that is there', () => {
		const dx = { view: tensor(backend, [1], [10]), accumulate: true };
		backend.activationBackward('tanh', dx, tensor(backend, [1], [2]), tensor(backend, [1], [0]));
		expect(numbersOf(backend, dx.view)).toEqual([12]);
	});

	it('gates by silu and differentiates, also in place', () => {
		const draw = drawFrom(2);
		const gate = tensor(backend, [30], draw.normal(30, 2));
		const up = tensor(backend, [30], draw.normal(30));
		const y = emptyTensor(backend, [30]);
		backend.swiglu(y, tensor(backend, [30], new Array(30).fill(1)), up);
		expect(numbersOf(backend, y)[0]).toBeCloseTo(0.7310585786300049 * numbersOf(backend, up)[0]!, 15);
		expectGradients(backend, {
			inputs: { gate, up },
			forward: () => {
				backend.swiglu(y, gate, up);
				return y;
			},
			backward: (dy) => {
				const [dGate, dUp] = [emptyTensor(backend, [30]), emptyTensor(backend, [30])];
				backend.copy(dGate, gate);
				backend.copy(dUp, up);
				backend.swigluBackward(dGate, dUp, dy, dGate, dUp);
				return { gate: dGate, up: dUp };
			},
		});
	});
});
