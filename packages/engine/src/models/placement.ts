import type { Weight } from '../backends/contract.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import type { LinearLayer } from '../layers/linear-layer.ts';
import type { HeadNorm, Norm } from '../layers/norm.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What stands for a tensor of the checkpoint: frozen in some form, or trainable. */
export type WeightPlacer = (tensor: ExpectedTensor) => Weight | Tensor;

/** How a family asks for its weights: each by its name in the checkpoint and its sizes. */
export interface Placement {
	/** [rows, columns], of which rows are looked up. */
	table(name: string, rows: number, columns: number): Tensor;
	linear(name: string, outputs: number, inputs: number, options?: LinearPlace): LinearLayer;
	rmsNorm(name: string, size: number, epsilon: number): HeadNorm;
	layerNorm(name: string, size: number, epsilon: number, options?: { readonly bias?: boolean }): Norm;
	/** [V, H], from states to logits. */
	outputMatrix(name: string, vocabularySize: number, hiddenSize: number): Weight | Tensor;
}

export interface LinearPlace {
	readonly bias?: boolean;
	/** Whether its output is added to the residual stream; see `initialWeight`. */
	readonly writesResidual?: boolean;
}

export function placement(place: WeightPlacer): Placement {
	const vector = (name: string, size: number, kind: 'norm' | 'bias') =>
		place({ name, shape: [size], kind }) as Tensor;
	return {
		table: (name, rows, columns) =>
			place({ name: `${name}.weight`, shape: [rows, columns], kind: 'embedding' }) as Tensor,
		linear(name, outputs, inputs, { bias = false, writesResidual = false } = {}) {
			const weight = `${name}.weight`;
			return {
				name,
				weight: place({ name: weight, shape: [outputs, inputs], kind: 'linear', writesResidual }),
				bias: bias ? vector(`${name}.bias`, outputs, 'bias') : undefined,
				lora: undefined,
			};
		},
		rmsNorm: (name, size, epsilon) => ({
			kind: 'rms',
			weight: vector(`${name}.weight`, size, 'norm'),
			epsilon,
		}),
		layerNorm: (name, size, epsilon, { bias = true } = {}) => ({
			kind: 'layer',
			weight: vector(`${name}.weight`, size, 'norm'),
			bias: bias ? vector(`${name}.bias`, size, 'bias') : undefined,
			epsilon,
		}),
		outputMatrix: (name, rows, columns) =>
			place({ name: `${name}.weight`, shape: [rows, columns], kind: 'head' }),
	};
}

/** The tensors that `ask` asks for, in the order in which it does. */
export function recordTensors(ask: (place: Placement) => unknown): readonly ExpectedTensor[] {
	const tensors: ExpectedTensor[] = [];
	ask(
		placement((tensor) => {
			tensors.push(tensor);
			return namedTensor(tensor);
		}),
	);
	return tensors;
}

/** What stands for a tensor that is only named: nothing can be computed with it. */
export function namedTensor(tensor: ExpectedTensor): Tensor {
	return { ...tensor, offset: 0, tracked: false, gradient: undefined } as unknown as Tensor;
}
