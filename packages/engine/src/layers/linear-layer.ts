import type { Weight } from '../backends/contract.ts';
import { type LoraPair, linear } from '../ops/linear.ts';
import type { Context, Tensor } from '../tensor/tensor.ts';

/** A matrix of a model under its name in the checkpoint (without `.weight`), with its adapter if it has one. */
export interface LinearLayer {
	readonly name: string;
	/** [N, K] */
	readonly weight: Weight | Tensor;
	/** [N] */
	readonly bias: Tensor | undefined;
	readonly lora: LoraPair | undefined;
}

/** y [T, N] of x [T, K]. */
export function applyLinear(context: Context, layer: LinearLayer, x: Tensor): Tensor {
	return linear(context, x, layer);
}
