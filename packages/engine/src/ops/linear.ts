import type { Dropout, LoraOptions, View, Weight } from '../backends/contract.ts';
import { floatPrecision, isQuantized } from '../backends/contract.ts';
import { keepInput } from '../tensor/recompute.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record, weightViews } from './record.ts';

/** A low-rank adapter of one matrix: W + scale · B A (Hu et al. 2021). */
export interface LoraPair {
	/** [r, K] */
	readonly a: Tensor;
	/** [N, r] */
	readonly b: Tensor;
	/** alpha / rank, or alpha / √rank with rsLoRA. */
	readonly scale: number;
	/** Share of the adapter's inputs that dropout removes in training. */
	readonly dropout: number;
	/** Tells the dropout masks of the adapters of one model apart. */
	readonly site: number;
}

export interface LinearInputs {
	/** [N, K]: frozen in any form, or a trainable tensor. */
	readonly weight: Weight | Tensor;
	/** [N] */
	readonly bias?: Tensor | undefined;
	readonly lora?: LoraPair | undefined;
}

/**
 * y [T, N] = x [T, K] · Wᵀ + bias + scale · dropout(x) · Aᵀ · Bᵀ. A frozen weight costs no dW; quantised weights
 * are only ever frozen.
 */
export function linear(context: Context, x: Tensor, inputs: LinearInputs): Tensor {
	const { backend } = context;
	const { weight, bias, lora } = inputs;
	const [tokens, inputSize] = matrixSizes('linear', 'x', x);
	const [outputSize] = matrixSizes('linear', 'weight', weight);
	expectShape('linear', 'weight', weight, [-1, inputSize]);
	const trainable = trainableWeight(weight);
	// a weight that moves would be rounded anew in every step, and its own gradient is a float product anyway
	const trained = floatPrecision(context.precision);
	const moves = trainable !== undefined && context.tape !== undefined;
	const precision = moves ? trained : context.precision;
	const tracked = x.tracked || trainable !== undefined || bias?.tracked === true || lora?.a.tracked === true;

	const y = allocate(context, [tokens, outputSize], tracked); // [T, N]
	backend.matmulNT(y, x, weight, { precision, accumulate: false, scale: 1 });
	if (bias !== undefined) backend.addBias(y, y, bias);

	const options = lora === undefined ? undefined : loraOptions(context, lora);
	let h: View | undefined;
	if (lora !== undefined && options !== undefined) {
		expectShape('linear', 'lora A', lora.a, [-1, inputSize]);
		expectShape('linear', 'lora B', lora.b, [outputSize, lora.a.shape[0]!]);
		h = context.arena.allocate('f32', [tokens, lora.a.shape[0]!]); // [T, r]
		backend.loraForward(y, h, x, lora.a, lora.b, options);
	}

	const input = lora === undefined && trainable === undefined ? undefined : keepInput(x);
	record(context, {
		name: 'linear',
		output: y,
		saved: [
			...(input?.saved ?? []),
			...weightViews(weight),
			...(lora === undefined || h === undefined ? [] : [h, lora.a, lora.b]),
		],
		backward: (gradients, dy) => {
			const dx = gradients.into(x);
			if (dx !== undefined) {
				backend.matmulNN(dx.view, dy, weight, { precision, accumulate: dx.accumulate, scale: 1 });
			}
			const dBias = bias === undefined ? undefined : gradients.into(bias);
			if (dBias !== undefined) backend.biasBackward(dBias, dy);
			input?.use(context, (x) => {
				const dWeight = trainable === undefined ? undefined : gradients.into(trainable);
				if (dWeight !== undefined) {
					backend.matmulTN(dWeight.view, dy, x, {
						precision: trained,
						accumulate: dWeight.accumulate,
						scale: 1,
					});
				}
				if (lora === undefined || options === undefined || h === undefined) return;
				const dA = gradients.into(lora.a);
				const dB = gradients.into(lora.b);
				if (dA === undefined || dB === undefined) return;
				backend.loraBackward(
					// the base has written dx already
					{ dx: dx === undefined ? undefined : { view: dx.view, accumulate: true }, dA, dB },
					{ x, h, a: lora.a, b: lora.b },
					dy,
					options,
				);
			});
		},
	});
	if (h !== undefined) context.arena.release(h);
	return y;
}

function loraOptions(context: Context, lora: LoraPair): LoraOptions {
	return {
		scale: lora.scale,
		precision: floatPrecision(context.precision),
		dropout: dropoutAt(context, lora.dropout, lora.site),
	};
}

/** The mask of one place in the model for this micro-batch; undefined outside training. */
export function dropoutAt(context: Context, probability: number, site: number): Dropout | undefined {
	if (context.dropoutSeed === undefined || probability === 0) return undefined;
	return { seed: context.dropoutSeed, stream: site, probability };
}

function trainableWeight(weight: Weight | Tensor): Tensor | undefined {
	return !isQuantized(weight) && 'tracked' in weight && weight.tracked ? weight : undefined;
}
