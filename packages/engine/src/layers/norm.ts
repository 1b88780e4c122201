import { layerNorm } from '../ops/layer-norm.ts';
import { rmsNorm } from '../ops/rms-norm.ts';
import type { Context, Tensor } from '../tensor/tensor.ts';

/** Normalisation of each token's state, with its weights [H]. */
export type Norm =
	/** Zhang & Sennrich 2019 */
	| { readonly kind: 'rms'; readonly weight: Tensor; readonly epsilon: number }
	/** Ba et al. 2016 */
	| {
			readonly kind: 'layer';
			readonly weight: Tensor;
			readonly bias: Tensor | undefined;
			readonly epsilon: number;
	  };

/** A norm of each head's own state, [D]. */
export type HeadNorm = Extract<Norm, { kind: 'rms' }>;

/** x [T, heads × D] → [T, heads × D], each head by itself with weights [D] that all share. */
export function normalizeHeads(context: Context, x: Tensor, norm: HeadNorm, heads: number): Tensor {
	return rmsNorm(context, x, norm.weight, norm.epsilon, heads);
}

/** x [T, H] → [T, H]. */
export function normalize(context: Context, x: Tensor, norm: Norm): Tensor {
	if (norm.kind === 'rms') return rmsNorm(context, x, norm.weight, norm.epsilon);
	return layerNorm(context, x, norm.weight, norm.bias, norm.epsilon);
}
