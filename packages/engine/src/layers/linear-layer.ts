import type { Weight } from '../backends/contract.ts';
import type { LoraPair } from '../ops/linear.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A matrix of a model under its name in the checkpoint (without `.weight`), with its adapter if it has one. */
export interface LinearLayer {
	readonly name: string;
	/** [N, K] */
	readonly weight: Weight | Tensor;
	/** [N] */
	readonly bias: Tensor | undefined;
	readonly lora: LoraPair | undefined;
}
