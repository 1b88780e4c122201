import { recomputable } from '../tensor/recompute.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, record } from './record.ts';

/** y [T, I] = silu(gate) × up. (Shazeer 2020) */
export function swiglu(context: Context, gate: Tensor, up: Tensor): Tensor {
	const { backend, arena } = context;
	expectShape('swiglu', 'up', up, gate.shape);
	const sources = [gate, up];
	const y = recomputable(
		context,
		allocate(context, gate.shape, gate.tracked || up.tracked, gate.dtype), // [T, I]
		sources,
		(target) => backend.swiglu(target, gate, up),
	);
	backend.swiglu(y, gate, up);
	return record(context, {
		name: 'swiglu',
		output: y,
		saved: sources,
		backward: (gradients, dy) => {
			const dGate = arena.allocate(gate.dtype, gate.shape);
			const dUp = arena.allocate(up.dtype, up.shape);
			backend.swigluBackward(dGate, dUp, dy, gate, up);
			gradients.pass(gate, dGate);
			gradients.pass(up, dUp);
			arena.release(dGate);
			arena.release(dUp);
		},
	});
}
