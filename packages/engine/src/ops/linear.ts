import type { Dropout, Precision, View, Weight } from '../backends/contract.ts';
import { floatPrecision, isQuantized, viewsOf } from '../backends/contract.ts';
import type { Gradients } from '../tensor/gradients.ts';
import { keepInput } from '../tensor/recompute.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { dropoutAt } from './dropout.ts';
import { expectShape, matrixSizes, record } from './record.ts';

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
export function linear(context: Context, x: Tensor, layer: LinearInputs): Tensor {
	return linears(context, x, [layer])[0];
}

/** The same for several layers of one input, which costs less than one by one. */
export function linears<const Layers extends readonly LinearInputs[]>(
	context: Context,
	x: Tensor,
	layers: Layers,
): { readonly [I in keyof Layers]: Tensor } {
	const { backend, arena } = context;
	const [tokens, inputSize] = matrixSizes('linear', 'x', x);
	const prepared = layers.map((layer) => {
		const { weight, bias, lora } = layer;
		const [outputSize] = matrixSizes('linear', 'weight', weight);
		expectShape('linear', 'weight', weight, [-1, inputSize]);
		const trainable = trainableWeight(weight);
		// a weight that moves would be rounded anew in every step, and its own gradient is a float product anyway
		const moves = trainable !== undefined && context.tape !== undefined;
		const precision = moves ? floatPrecision(context.precision) : context.precision;
		const tracked =
			x.tracked || trainable !== undefined || bias?.tracked === true || lora?.a.tracked === true;
		const y = allocate(context, [tokens, outputSize], tracked); // [T, N]
		if (lora === undefined) return { layer, trainable, precision, y, adapter: undefined };
		const [rank] = matrixSizes('linear', 'lora A', lora.a);
		expectShape('linear', 'lora A', lora.a, [-1, inputSize]);
		expectShape('linear', 'lora B', lora.b, [outputSize, rank]);
		const h = arena.allocate('f32', [tokens, rank]); // [T, r]
		const adapter = {
			h,
			a: lora.a,
			b: lora.b,
			scale: lora.scale,
			dropout: dropoutAt(context, lora.dropout, lora.site),
		};
		return { layer, trainable, precision, y, adapter };
	});

	for (const [precision, alike] of Map.groupBy(prepared, (one) => one.precision)) {
		const outputs = alike.map(({ layer, y, adapter }) => ({ y, weight: layer.weight, lora: adapter }));
		backend.linearForward(x, outputs, precision);
	}
	for (const one of prepared) {
		if (one.layer.bias !== undefined) backend.addBias(one.y, one.y, one.layer.bias);
		recordLinear(context, x, one);
		if (one.adapter !== undefined) arena.release(one.adapter.h);
	}
	return prepared.map(({ y }) => y) as { [I in keyof Layers]: Tensor };
}

/** A layer whose output is computed. */
interface ComputedLinear {
	readonly layer: LinearInputs;
	/** The weight, if it is trained. */
	readonly trainable: Tensor | undefined;
	readonly precision: Precision;
	readonly y: Tensor;
	readonly adapter:
		| {
				readonly h: View;
				readonly a: Tensor;
				readonly b: Tensor;
				readonly scale: number;
				readonly dropout: Dropout | undefined;
		  }
		| undefined;
}

function recordLinear(context: Context, x: Tensor, linear: ComputedLinear): void {
	const { backend } = context;
	const { layer, trainable, precision, y, adapter } = linear;
	const { weight, bias } = layer;
	const input = adapter === undefined && trainable === undefined ? undefined : keepInput(x);

	const backward = (gradients: Gradients, dy: View): void => {
		const dx = gradients.into(x);
		const dBias = bias === undefined ? undefined : gradients.into(bias);
		if (dBias !== undefined) backend.biasBackward(dBias, dy);
		if (dx !== undefined && adapter === undefined) {
			backend.matmulNN(dx.view, dy, weight, { precision, accumulate: dx.accumulate, scale: 1 });
		}
		input?.use(context, (values) => {
			const dWeight = trainable === undefined ? undefined : gradients.into(trainable);
			if (dWeight !== undefined) {
				const exact = floatPrecision(precision);
				backend.matmulTN(dWeight.view, dy, values, {
					precision: exact,
					accumulate: dWeight.accumulate,
					scale: 1,
				});
			}
			if (adapter === undefined) return;
			const [dA, dB] = [gradients.into(adapter.a)!, gradients.into(adapter.b)!];
			backend.linearBackward({ dx, dA, dB }, { x: values, weight, ...adapter }, dy, {
				...adapter,
				precision,
			});
		});
	};

	record(context, {
		name: adapter === undefined ? 'linear' : 'linear with an adapter',
		output: y,
		saved: [
			...(input?.saved ?? []),
			...viewsOf(weight),
			...(adapter === undefined ? [] : [adapter.h, adapter.a, adapter.b]),
		],
		// the kernel of an adapter's gradients has nowhere to leave those of a frozen one
		backward: adapter === undefined || (adapter.a.tracked && adapter.b.tracked) ? backward : undefined,
	});
}

/** The weight where it is trained; undefined for a frozen one in whatever form. */
export function trainableWeight(weight: Weight | Tensor): Tensor | undefined {
	return !isQuantized(weight) && 'tracked' in weight && weight.tracked ? weight : undefined;
}
