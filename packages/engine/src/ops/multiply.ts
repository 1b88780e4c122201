import type { View } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, record } from './record.ts';

/**
 * y = a × b, element by element. From silu(x) - silu(-x) = x: a × b = silu(a) × b + silu(-a) × (-b), to the rounding of a sum, so that
 * it needs no kernel of its own.
 */
export function multiply(context: Context, a: Tensor, b: Tensor): Tensor {
	expectShape('multiply', 'b', b, a.shape);
	const y = allocate(context, a.shape, a.tracked || b.tracked, a.dtype);
	productInto(context, y, a, b);
	return record(context, {
		name: 'multiply',
		output: y,
		saved: [a, b],
		backward: (gradients, dy) => {
			const { arena } = context;
			for (const [input, other] of [
				[a, b],
				[b, a],
			] as const) {
				if (!input.tracked) continue;
				const gradient = arena.allocate(input.dtype, input.shape);
				productInto(context, gradient, dy, other);
				gradients.pass(input, gradient);
				arena.release(gradient);
			}
		},
	});
}

function productInto({ backend, arena }: Context, y: View, a: View, b: View): void {
	const negated = (view: View) => {
		const copy = arena.allocate(y.dtype, view.shape);
		backend.copy(copy, view);
		backend.scale(copy, -1);
		return copy;
	};
	const [minusA, minusB, rest] = [negated(a), negated(b), arena.allocate(y.dtype, y.shape)];
	backend.swiglu(y, a, b);
	backend.swiglu(rest, minusA, minusB);
	backend.addScaled(y, rest, 1);
	for (const view of [minusA, minusB, rest]) arena.release(view);
}
