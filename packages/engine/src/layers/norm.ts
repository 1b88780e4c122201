import { layerNorm } from '../ops/layer-norm.ts';
import { rmsNorm } from '../ops/rms-norm.ts';
import type { Context, Tensor } from '../tensor/tensor.ts';

/** Normalisation of each token's state, with its weights [H]. */
export type Norm =
	/** Zhang & Sennrich 2019 */
	| { readonly kind: 'rms'; readonly weight: Tensor; readonly epsilon: number }
	/** Ba et al. 2016 */
	| { readonly kind: 'layer'; readonly weight: Tensor; readonly bias: Tensor; readonly epsilon: number };

/** x [T, H] → [T, H]. */
export function normalize(context: Context, x: Tensor, norm: Norm): Tensor {
	if (norm.kind === 'rms') return rmsNorm(context, x, norm.weight, norm.epsilon);
	return layerNorm(context, x, norm.weight, norm.bias, norm.epsilon);
}
