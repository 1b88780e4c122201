import type { Destination, LinearOptions, LinearOutput, LoraOptions, Precision } from './arithmetic.ts';
import type { View, Weight } from './tensors.ts';

/**
 * Several kernels in one, which a backend may bring where that is faster: it is asked for them first, and what it doesn't bring is
 * composed of `Kernels` (compose-kernels.ts).
 */
export interface FusedKernels {
	/** h [M, r] = dropout(x) [M, K] · Aᵀ and y [M, N] += scale × h · Bᵀ, A [r, K], B [N, r]. (Hu et al. 2021) */
	loraForward(y: View, h: View, x: View, a: View, b: View, options: LoraOptions): void;
	/**
	 * Gradients of `loraForward` given dy [M, N]: with dh = scale × dy · B, dB = scale × dyᵀ · h, dA = dhᵀ · dropout(x),
	 * dx = dropout(dh · A). The sums over the tokens, dA and dB, are of float32 operands whatever the precision.
	 */
	loraBackward(
		gradients: { readonly dx: Destination | undefined; readonly dA: Destination; readonly dB: Destination },
		saved: { readonly x: View; readonly h: View; readonly a: View; readonly b: View },
		dy: View,
		options: LoraOptions,
	): void;

	/**
	 * y = x · Wᵀ for each layer, and its adapter's addition: `matmulNT` in the precision and `loraForward` in its
	 * `floatPrecision`, of all in one.
	 */
	linearForward(x: View, layers: readonly LinearOutput[], precision: Precision): void;
	/** dx = dy · W and the gradients of the layer's adapter: `matmulNN` and `loraBackward` in one. */
	linearBackward(
		gradients: { readonly dx: Destination | undefined; readonly dA: Destination; readonly dB: Destination },
		saved: {
			readonly x: View;
			readonly weight: Weight;
			readonly h: View;
			readonly a: View;
			readonly b: View;
		},
		dy: View,
		options: LinearOptions,
	): void;

	/**
	 * How far the values that codes, absmax and codebook stand for, laid out as `quantizeTable4` does, lie from those of x, elements
	 * of any dense float type; waits for the kernels before it.
	 */
	table4Errors(codes: View, absmax: View, codebook: View, x: View): ErrorSums;
}

/** How far restored values lie from the original ones: sums over elements, so that those of several matrices can be added. */
export interface ErrorSums {
	readonly elements: number;
	/** Largest magnitude of a difference. */
	readonly maxAbs: number;
	/** Σ |difference| */
	readonly abs: number;
	/** Σ difference² */
	readonly noise: number;
	/** Σ original² */
	readonly signal: number;
}
