/**
 * The contract between everything that computes with tensors and the machine that does it.
 *
 * A backend owns buffers and runs kernels over views of them. Nothing above this folder reads or writes a
 * tensor's bytes except through `upload` and `download`, so a backend may keep its buffers on another device
 * and run asynchronously, as long as kernels run in the order of their calls and `download` and `sumOfSquares`
 * wait for them. No kernel needs to: what it finds memory by (rows, ranges, segments) was checked on the host where it was
 * made (`indices.ts`).
 *
 * Conventions
 * - Matrices are row-major, and contiguous unless a kernel's sentence says more. Letters in shapes: T tokens of a pack, H hidden size, M N K the
 *   sizes of a matrix product, R rows, V vocabulary, F functions, C classes, D head dimension, r LoRA rank.
 * - Activations, gradients and trainable parameters are `f32`; frozen dense weights may also be `bf16` or
 *   `f16`; frozen weights of `matmul` kernels may be quantised; ids, positions and boundaries are `i32`.
 * - A kernel may assume that shapes fit (the ops check them) and that outputs don't overlap inputs, unless
 *   its sentence says that they may be the same view.
 * - Kernels give the same bytes whatever the number of threads.
 * - A row of a result depends on that row of the inputs alone (in attention: on the tokens that it sees), to the byte: every
 *   sum over K goes in one order, whatever M is. It is what makes a function's score independent of its neighbours.
 */

export type DataType = 'f32' | 'bf16' | 'f16' | 'i32' | 'u8' | 'i8';

export const BYTES_PER_ELEMENT: Readonly<Record<DataType, number>> = {
	f32: 4,
	bf16: 2,
	f16: 2,
	i32: 4,
	u8: 1,
	i8: 1,
};

/** Memory that a backend owns; only the backend that made it looks inside. */
export interface DeviceBuffer {
	readonly dtype: DataType;
	/** Elements, not bytes. */
	readonly length: number;
}

/** A row-major tensor inside a buffer. Plain data: making or dropping a view costs nothing. */
export interface View {
	readonly buffer: DeviceBuffer;
	/** Elements from the start of the buffer. */
	readonly offset: number;
	readonly dtype: DataType;
	readonly shape: readonly number[];
	/**
	 * Elements from one row to the next, where a matrix is some columns of a wider one (the queries of a fused projection).
	 * Only kernels that say so take such a view; all others take contiguous ones and refuse it.
	 */
	readonly rowStride?: number;
}

/**
 * How the codes of a quantised matrix W [N, K] are stored.
 * - `table4`: two 4-bit codes a byte over the flat matrix, the first in the high nibble; value =
 *   codebook[code] × scales[flat index / 64]. NF4 and FP4 as bitsandbytes lays them out.
 * - `table8`: one code a byte, value = codebook[code] × scales[flat index / 64]. Quantile codebooks, k = 2…8.
 * - `int8`: signed codes, value = code × scales[row].
 */
export type QuantizedLayout = 'table4' | 'table8' | 'int8';

/** A frozen quantised matrix. Blocks of 64 run over the flat matrix, across rows; the last may be short. */
export interface QuantizedWeight {
	readonly layout: QuantizedLayout;
	/** [N, K] */
	readonly shape: readonly number[];
	/** `u8` (`i8` for layout int8). */
	readonly codes: View;
	/** `f32`: one per block of 64, or one per row for layout int8. */
	readonly scales: View;
	/** `f32` [16] or [2^k]; absent for layout int8. */
	readonly codebook: View | undefined;
}

/** What the frozen side of a matrix product may be. */
export type Weight = View | QuantizedWeight;

export function isQuantized(weight: Weight): weight is QuantizedWeight {
	return 'layout' in weight;
}

/**
 * Arithmetic of matrix products: `fp32`, or operands rounded to bfloat16 with float32 accumulation. Where the machine has
 * no bfloat16 arithmetic, `bf16` may compute in fp32, which is more exact and no slower there.
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

/**
 * Which tokens of a pack attend to which. A segment's tokens see those of their own segment and, where it has a parent, all
 * of the parent's before them: functions that begin alike are the children of their common prefix.
 */
export interface Segments {
	/** i32 [S + 1], ascending from 0 to T: segment s is tokens [starts[s], starts[s + 1]). */
	readonly starts: View;
	/**
	 * i32 [S]: the segment that is s's parent, −1 for none. A parent has none of its own and is followed by all its
	 * children. undefined where no segment has one; attention must be causal where one has.
	 */
	readonly parents?: View | undefined;
	/** S */
	readonly count: number;
	/** T */
	readonly tokens: number;
	/** Tokens of the longest segment, its parent's included. */
	readonly longest: number;
}

/** i32 numbers from 0 that stand for rows of a table, or for classes. */
export interface Indices extends View {
	/** All are smaller. */
	readonly below: number;
}

/** i32 classes, where −100 stands for none. */
export interface Targets extends View {
	/** All are smaller. */
	readonly classes: number;
}

/** i32 [F, 2R]: the ranges [from, to) of rows that each of F functions pools, of which some but not all may be empty. */
export interface Ranges extends View {
	/** None ends later. */
	readonly rows: number;
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
	/** Factor on q·k, usually 1/√headDim. */
	readonly scale: number;
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

export interface MemoryUse {
	readonly liveBuffers: number;
	readonly liveBytes: number;
	readonly peakBytes: number;
}

export interface Backend {
	/** `reference`, `cpu`, `wasm`, later `cuda`. */
	readonly name: string;
	/** For people: instruction set, threads. */
	readonly description: string;

	// ── memory ──────────────────────────────────────────────────────────────────────────────────────────────

	/** Uninitialised memory of `length` elements. */
	allocate(dtype: DataType, length: number): DeviceBuffer;
	/** Gives the memory back; using the buffer afterwards is an error. */
	free(buffer: DeviceBuffer): void;
	/** Copies host bytes into a view: the typed array has the view's element type (bf16, f16: Uint16Array). */
	upload(target: View, source: ArrayBufferView): void;
	/** Waits for the kernels before it and copies a view to the host (f32: Float32Array, bf16: Uint16Array, …). */
	download(source: View): Float32Array | Float64Array | Uint16Array | Int32Array | Uint8Array | Int8Array;
	memory(): MemoryUse;
	/** Frees whatever the backend holds; the backend can't be used afterwards. */
	close(): void;

	// ── element-wise ────────────────────────────────────────────────────────────────────────────────────────

	/** target = value, over f32 or i32. */
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
	 * Rotates each head's pairs (i, i + D/2) of x [T, heads × D] by angles given as cos, sin [T, D/2]; with
	 * `inverse` by their negatives, which is the gradient. y may be x. (Su et al. 2021, in Hugging Face's order)
	 */
	rope(y: View, x: View, cos: View, sin: View, headDim: number, inverse: boolean): void;
	/**
	 * out [T, heads × D] = softmax(scale × q · kᵀ) · v, where a token sees what `Segments` says and, if causal, no later
	 * token. q [T, heads × D], k, v [T, keyValueHeads × D], logSumExp [T, heads]. Never makes a T × T matrix. A token of a
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
		shape: AttentionShape,
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
		shape: AttentionShape,
	): void;

	// ── activations ─────────────────────────────────────────────────────────────────────────────────────────

	/** y = silu(gate) × up. (Shazeer 2020) */
	swiglu(y: View, gate: View, up: View): void;
	/** Written over what is there; dGate may be gate and dUp may be up. */
	swigluBackward(dGate: View, dUp: View, dy: View, gate: View, up: View): void;
	activation(kind: Activation, y: View, x: View): void;
	activationBackward(kind: Activation, dx: Destination, dy: View, x: View): void;

	// ── rows ────────────────────────────────────────────────────────────────────────────────────────────────

	/** y [R, H] f32 = table[rows[i]], table dense of any float type, rows i32 [R]. */
	gatherRows(y: View, table: View, rows: Indices): void;
	/** table f32 [·, H]: table[rows[i]] += y[i], in ascending i, so that repeated rows add up in a fixed order. */
	scatterAddRows(table: View, y: View, rows: Indices): void;
	/**
	 * y [F, H] = mean or maximum of the rows of x in the ranges [from, to) of f; for `max`, argmax i32 [F, H] gets the row
	 * of x with the first maximum (undefined for `mean`). A function's ranges are taken in their order.
	 */
	poolRows(kind: 'mean' | 'max', y: View, argmax: View | undefined, x: View, ranges: Ranges): void;
	/** dx [T, H] += the gradient of `poolRows`, in ascending f, so that ranges may overlap. */
	poolRowsBackward(kind: 'mean' | 'max', dx: View, dy: View, argmax: View | undefined, ranges: Ranges): void;

	// ── losses ──────────────────────────────────────────────────────────────────────────────────────────────

	/**
	 * losses [R] = −log softmax(hidden · Wᵀ)[target] for hidden [R, H], W [V, H], targets i32 [R]; a target of −100
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
	/** Gradients given dLosses [R]: dLogits = dLosses × (softmax − onehot), made again chunk by chunk. */
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
}
