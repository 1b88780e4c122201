import type { Activation } from '../backends/contract.ts';
import { activation } from '../ops/activation.ts';
import { linear, linears } from '../ops/linear.ts';
import { multiply } from '../ops/multiply.ts';
import { splitColumns } from '../ops/split-columns.ts';
import { swiglu } from '../ops/swiglu.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import type { LinearLayer } from './linear-layer.ts';

/** The feed-forward network of a block. */
export type Mlp =
	/** down(silu(gate(x)) × up(x)) (Shazeer 2020) */
	| {
			readonly kind: 'gated';
			readonly gate: LinearLayer; // [I, H]
			readonly up: LinearLayer; // [I, H]
			readonly down: LinearLayer; // [H, I]
	  }
	/** down(activation(a) × b), a and b being halves of what one matrix makes of x (Shazeer 2020) */
	| {
			readonly kind: 'gatedHalves';
			readonly halves: LinearLayer; // [2 × I, H]
			readonly down: LinearLayer; // [H, I]
			readonly activation: Activation;
	  }
	/** down(activation(up(x))) */
	| {
			readonly kind: 'plain';
			readonly up: LinearLayer; // [I, H]
			readonly down: LinearLayer; // [H, I]
			readonly activation: Activation;
	  };

/** x [T, H] → [T, H]. */
export function feedForward(context: Context, mlp: Mlp, x: Tensor): Tensor {
	const middle = middleOf(context, mlp, x); // [T, I]
	const out = linear(context, middle, mlp.down); // [T, H]
	release(context, middle);
	return out;
}

function middleOf(context: Context, mlp: Mlp, x: Tensor): Tensor {
	if (mlp.kind === 'gated') return gated(context, mlp, x);
	return mlp.kind === 'plain' ? plain(context, mlp, x) : gatedHalves(context, mlp, x);
}

function gatedHalves(context: Context, mlp: Mlp & { kind: 'gatedHalves' }, x: Tensor): Tensor {
	const both = linear(context, x, mlp.halves); // [T, 2 × I]
	const [gate, up] = splitColumns(context, both, 1, 2) as [Tensor, Tensor]; // [T, I] each
	release(context, both);
	const activated = activation(context, mlp.activation, gate); // [T, I]
	release(context, gate);
	const product = multiply(context, activated, up); // [T, I]
	release(context, activated, up);
	return product;
}

function gated(context: Context, mlp: Mlp & { kind: 'gated' }, x: Tensor): Tensor {
	const [gate, up] = linears(context, x, [mlp.gate, mlp.up]); // [T, I] each
	const product = swiglu(context, gate, up); // [T, I]
	release(context, gate, up);
	return product;
}

function plain(context: Context, mlp: Mlp & { kind: 'plain' }, x: Tensor): Tensor {
	const up = linear(context, x, mlp.up); // [T, I]
	const activated = activation(context, mlp.activation, up); // [T, I]
	release(context, up);
	return activated;
}
