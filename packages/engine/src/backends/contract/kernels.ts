import type {
	Activation,
	AdamWOptions,
	AttentionOptions,
	Destination,
	Dropout,
	FloatPrecision,
	FocalOptions,
	MatmulOptions,
} from './arithmetic.ts';
import type {
	Indices,
	QuantizedMoment,
	QuantizedWeight,
	Ranges,
	Segments,
	Targets,
	View,
	Weight,
} from './tensors.ts';

/** What every backend brings. */
export interface Kernels {
	// ── element-wise ────────────────────────────────────────────────────────────────────────────────────────

	/** target = value, over i32 or a type of activations. */
	fill(target: View, value: number): void;
	/** target = source, between dense types too (round to nearest even). */
	copy(target: View, source: View): void;
	/** sum = a + b; sum may be a or b. */
	add(sum: View, a: View, b: View): void;
	/** target += factor × source. */
	addScaled(target: View, source: View, factor: number): void;
	/** target = factor × target. */
	scale(target: View, factor: number): void;
	/** y = dropout(x) as `Dropout` says; the same call on dy is its gradient. y may be x. */
	dropout(y: View, x: View, dropout: Dropout): void;
	/** y[m, n] = x[m, n] + bias[n]; y may be x. */
	addBias(y: View, x: View, bias: View): void;
	/** dBias[n] = Σ_m dy[m, n]. */
	biasBackward(dBias: Destination, dy: View): void;
	/** Σ x², accumulated in float64 in a fixed order; waits for the kernels before it. */
	sumOfSquares(x: View): number;

	// ── matrix products ─────────────────────────────────────────────────────────────────────────────────────

	/** y [M, N] = x [M, K] · Wᵀ, W [N, K]: forward of a linear layer. */
	matmulNT(y: View, x: View, weight: Weight, options: MatmulOptions): void;
	/** dx [M, K] = dy [M, N] · W, W [N, K]: gradient of a linear layer's input. */
	matmulNN(dx: View, dy: View, weight: Weight, options: MatmulOptions): void;
	/** dW [N, K] = dyᵀ [N, M] · x [M, K]: gradient of a linear layer's weight. */
	matmulTN(dWeight: View, dy: View, x: View, options: MatmulOptions<FloatPrecision>): void;
	/** target f32 [N, K] = the values of a quantised matrix. */
	dequantize(target: View, weight: QuantizedWeight): void;
	/**
	 * Quantises x, n elements of any dense float type in blocks of 64: absmax f32 [ceil(n / 64)] = the largest |x|, codes u8
	 * [ceil(n / 2)] = of each x × (1 / absmax) the code whose value in the codebook f32 [16] is nearest (of two equally near the
	 * lower value), the first of a byte in its high half; the same bits as `quantizeFourBit`. Waits for the kernels before it;
	 * returns the position of the first x that is not finite, −1 if all are.
	 */
	quantizeTable4(codes: View, absmax: View, codebook: View, x: View): number;

	// ── normalisation ───────────────────────────────────────────────────────────────────────────────────────

	/** y = x × rstd × weight with rstd [T] = 1/√(mean x² + epsilon), x [T, H]. */
	rmsNorm(y: View, rstd: View, x: View, weight: View, epsilon: number): void;
	rmsNormBackward(
		gradients: { readonly dx: Destination | undefined; readonly dWeight: Destination | undefined },
		saved: { readonly x: View; readonly rstd: View; readonly weight: View },
		dy: View,
	): void;
	/** y = (x − mean) × rstd × weight + bias with rstd = 1/√(variance + epsilon); mean and rstd are [T]. */
	layerNorm(
		y: View,
		mean: View,
		rstd: View,
		x: View,
		weight: View,
		bias: View | undefined,
		epsilon: number,
	): void;
	layerNormBackward(
		gradients: {
			readonly dx: Destination | undefined;
			readonly dWeight: Destination | undefined;
			readonly dBias: Destination | undefined;
		},
		saved: { readonly x: View; readonly mean: View; readonly rstd: View; readonly weight: View },
		dy: View,
	): void;

	// ── attention ───────────────────────────────────────────────────────────────────────────────────────────

	/**
	 * Rotates each head's pairs (i, i + R/2) of x [T, heads × D] by angles given as cos, sin f32 [T, R/2]; with
	 * `inverse` by their negatives, which is the gradient. Elements from R on stay as they are. y may be x. (Su et al. 2021,
	 * in Hugging Face's order)
	 */
	rope(y: View, x: View, cos: View, sin: View, headDim: number, inverse: boolean): void;
	/**
	 * out [T, heads × D] = softmax(scale × q · kᵀ) · v, all of one type, where a token sees what `Segments` says, if causal no later
	 * token, and none outside its window. q [T, heads × D], k, v [T, keyValueHeads × D], logSumExp [T, heads]. Never makes a T × T matrix. A token of a
	 * child gets the bytes that it gets where parent and child are one segment. q, k and v may be columns of a wider matrix; k
	 * and v have one row stride.
	 */
	attention(
		out: View,
		logSumExp: View,
		q: View,
		k: View,
		v: View,
		segments: Segments,
		options: AttentionOptions,
	): void;
	/** All three gradients at once, written over what is there, with the row strides of q, k and v. */
	attentionBackward(
		gradients: { readonly dq: View; readonly dk: View; readonly dv: View },
		saved: {
			readonly q: View;
			readonly k: View;
			readonly v: View;
			readonly out: View;
			readonly logSumExp: View;
			readonly segments: Segments;
		},
		dOut: View,
		options: AttentionOptions,
	): void;

	// ── activations ─────────────────────────────────────────────────────────────────────────────────────────

	/** y = silu(gate) × up. (Shazeer 2020) */
	swiglu(y: View, gate: View, up: View): void;
	/** Written over what is there; dGate may be gate and dUp may be up. */
	swigluBackward(dGate: View, dUp: View, dy: View, gate: View, up: View): void;
	activation(kind: Activation, y: View, x: View): void;
	activationBackward(kind: Activation, dx: Destination, dy: View, x: View): void;

	// ── rows ────────────────────────────────────────────────────────────────────────────────────────────────

	/** y [R, H] of the activations' type = table[rows[i]], table dense of any float type, rows i32 [R]. */
	gatherRows(y: View, table: View, rows: Indices): void;
	/**
	 * table [·, H] of f32 or the activations' type: table[rows[i]] += y[i], in ascending i, so that repeated rows add up in a fixed
	 * order. y may be f32 or of the activations' type.
	 */
	scatterAddRows(table: View, y: View, rows: Indices): void;
	/**
	 * y f32 [F, H] = mean or maximum of the rows of x f32 in the ranges [from, to) of f; for `max`, argmax i32 [F, H] gets the row
	 * of x with the first maximum (undefined for `mean`). A function's ranges are taken in their order.
	 */
	poolRows(kind: 'mean' | 'max', y: View, argmax: View | undefined, x: View, ranges: Ranges): void;
	/** dx [T, H] += the gradient of `poolRows`, in ascending f, so that ranges may overlap. */
	poolRowsBackward(kind: 'mean' | 'max', dx: View, dy: View, argmax: View | undefined, ranges: Ranges): void;

	// ── losses ──────────────────────────────────────────────────────────────────────────────────────────────

	/**
	 * losses [R] = −log softmax(hidden · Wᵀ)[target] for hidden f32 [R, H], W [V, H], targets i32 [R]; a target of −100
	 * gives 0, and its logSumExp [R] is then undefined. Computes the logits in chunks and never holds R × V of them.
	 */
	linearCrossEntropy(
		losses: View,
		logSumExp: View,
		hidden: View,
		weight: Weight,
		targets: Targets,
		precision: FloatPrecision,
	): void;
	/** Gradients given dLosses [R]: dLogits = dLosses × (softmax − onehot), made again chunk by chunk. All are f32, as they add up over chunks. */
	linearCrossEntropyBackward(
		gradients: { readonly dHidden: Destination | undefined; readonly dWeight: Destination | undefined },
		saved: {
			readonly hidden: View;
			readonly weight: Weight;
			readonly targets: Targets;
			readonly logSumExp: View;
		},
		dLosses: View,
		precision: FloatPrecision,
	): void;
	/**
	 * Focal loss over the classes (Lin et al. 2017): losses [F] = weights[f] × (1 − p)^γ × −log p with p =
	 * softmax(logits)[label]; probabilities [F, C] = softmax(logits); dLogits [F, C] = ∂losses[f]/∂logits[f]. γ = 0 is
	 * cross-entropy. `weights` [F] holds α of the label's class times any other weight.
	 */
	focalLoss(
		outputs: { readonly losses: View; readonly probabilities: View; readonly dLogits: View },
		logits: View,
		labels: Indices,
		weights: View,
		options: FocalOptions,
	): void;
	/**
	 * The same loss from −log p alone: losses [R] = weights × (1 − p)^γ × negLogP and derivative [R] =
	 * ∂losses/∂negLogP. Used where p comes from `linearCrossEntropy`.
	 */
	focalOfNegLogP(
		outputs: { readonly losses: View; readonly derivative: View },
		negLogP: View,
		weights: View,
		options: FocalOptions,
	): void;
	/** row[i] = factor[i] × row[i] of x [R, H], in place. */
	scaleRows(x: View, factor: View): void;

	// ── optimiser ───────────────────────────────────────────────────────────────────────────────────────────

	/**
	 * AdamW with decoupled decay (Loshchilov & Hutter 2019), over flat f32 buffers: p ← p × (1 − lr × decay), then the
	 * Adam step with bias correction and epsilon outside the root.
	 */
	adamW(
		parameters: View,
		gradients: View,
		firstMoment: View,
		secondMoment: View,
		options: AdamWOptions,
	): void;
	/**
	 * The same with moments in 8 bits, over flat f32 buffers: each block is dequantised, takes in the gradient, moves its parameters, and is
	 * quantised anew, to the nearest value of its codebook (on a midpoint the lower one). A block that is not finite has a scale that is not.
	 */
	adamW8bit(
		parameters: View,
		gradients: View,
		firstMoment: QuantizedMoment,
		secondMoment: QuantizedMoment,
		options: AdamWOptions,
	): void;
}
