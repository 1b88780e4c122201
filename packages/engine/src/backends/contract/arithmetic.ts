import type { View, Weight } from './tensors.ts';

/** How kernels compute. */

/**
 * Arithmetic of matrix products: `fp32`, or operands rounded to bfloat16 with float32 accumulation. Where the machine has
 * no bfloat16 arithmetic, `bf16` may compute in fp32, or in float16 with a power of two taken out of each row or column that is not
 * summed over; both are more exact and no slower there.
 */
export type FloatPrecision = 'fp32' | 'bf16';

/**
 * Arithmetic of products with a frozen weight W [N, K] in any storage: as floats, or `int8`, where both operands are
 * rounded to 8 bits in blocks of 64 along the depth of the product: K for `matmulNT` (blocks of the rows of x and of
 * W), N for `matmulNN` (of the rows of dy and of the columns of W). The last block may be short.
 *
 * With absmax the largest magnitude of a block, its scale is absmax / 127 and its codes are value × (127 / absmax),
 * rounded to nearest even; every operation in float32, so that all backends have the same codes. The products of two
 * blocks are summed exactly in integers, times both scales, and added up in float32. A block of magnitudes below 1e-36
 * counts as zeros; one with an infinity or NaN makes what it enters no finite number.
 */
export type Precision = FloatPrecision | 'int8';

/** What is computed as floats under a precision: adapters, trainable weights, products with the vocabulary. */
export function floatPrecision(precision: Precision): FloatPrecision {
	return precision === 'int8' ? 'bf16' : precision;
}

/** Where a kernel writes a gradient: over what is there, or added to it. */
export interface Destination {
	readonly view: View;
	readonly accumulate: boolean;
}

export interface MatmulOptions<Arithmetic extends Precision = Precision> {
	readonly precision: Arithmetic;
	/** Add to what the output holds. */
	readonly accumulate: boolean;
	/** Factor on the product, 1 for none. */
	readonly scale: number;
}

/**
 * Which elements dropout keeps: element i is kept iff 16 bits of Philox4x32-10 with counter (i >> 3, stream, 0, 0) and key
 * (seed mod 2^32, floor(seed / 2^32)) are at least round(probability × 2^16): those of word (i & 7) >> 1, the lower half
 * where i is even. Kept elements are multiplied by 1 / (1 − probability).
 */
export interface Dropout {
	readonly seed: number;
	readonly stream: number;
	readonly probability: number;
}

export interface LoraOptions {
	/** alpha / rank, or alpha / √rank (rsLoRA). */
	readonly scale: number;
	readonly precision: FloatPrecision;
	/** On the adapter's input only; the base sees x itself. */
	readonly dropout: Dropout | undefined;
}

/** A frozen layer's product and its adapter's. */
export interface LinearOptions extends Omit<LoraOptions, 'precision'> {
	readonly precision: Precision;
}

/** One of the linear layers that `linearForward` computes from the same input. */
export interface LinearOutput {
	/** [M, N], written. */
	readonly y: View;
	/** [N, K] */
	readonly weight: Weight;
	/** Its adapter: h [M, r] is written, A [r, K], B [N, r]. */
	readonly lora:
		| {
				readonly h: View;
				readonly a: View;
				readonly b: View;
				readonly scale: number;
				readonly dropout: Dropout | undefined;
		  }
		| undefined;
}

export interface AttentionShape {
	readonly heads: number;
	/** Query head h reads key/value head floor(h × keyValueHeads / heads). */
	readonly keyValueHeads: number;
	readonly headDim: number;
	readonly causal: boolean;
	/**
	 * A token sees those at less than this distance, counted along its segment after its parent, itself included: 1 is itself
	 * alone. undefined for no such bound.
	 */
	readonly window?: number | undefined;
	/** Factor on q·k, usually 1/√headDim. */
	readonly scale: number;
}

export interface AttentionOptions extends AttentionShape {
	/** Of the products; softmax and sums are float32. Under `bf16` q, k, v, dOut and what they are weighted with are rounded. */
	readonly precision: FloatPrecision;
}

/** The window as a 32-bit number to which a token's place can be added: more than any pack has tokens where there is none. */
export function windowOf({ window }: Pick<AttentionShape, 'window'>): number {
	return Math.min(window ?? 2 ** 30, 2 ** 30);
}

export type Activation = 'gelu' | 'geluTanh' | 'tanh' | 'silu';

export interface AdamWOptions {
	readonly learningRate: number;
	readonly beta1: number;
	readonly beta2: number;
	readonly epsilon: number;
	readonly weightDecay: number;
	/** 1 for the first step: used for the bias correction. */
	readonly step: number;
	/** Factor on every gradient before it is used: the clipping factor. */
	readonly gradientScale: number;
}

export interface FocalOptions {
	readonly gamma: number;
	/** `detached` treats (1 − p)^γ as a constant, as the published reference code does. */
	readonly gradient: 'full' | 'detached';
}
