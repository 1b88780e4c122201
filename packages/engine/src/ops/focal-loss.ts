import type { FocalOptions, Indices, View } from '../backends/contract.ts';
import { expectRows } from '../backends/indices.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/**
 * Focal loss per function over class logits [F, C] (Lin et al. 2017); γ = 0 is cross-entropy.
 *
 * @param labels i32 [F]
 * @param weights f32 [F]: α of the label's class times any other weight
 * @returns losses [F], and probabilities [F, C] without gradient
 */
export function focalLoss(
	context: Context,
	logits: Tensor,
	labels: Indices,
	weights: View,
	options: FocalOptions,
): { losses: Tensor; probabilities: View } {
	const { backend, arena } = context;
	const [functions, classes] = matrixSizes('focalLoss', 'logits', logits);
	expectShape('focalLoss', 'labels', labels, [functions]);
	expectRows(labels, classes);
	expectShape('focalLoss', 'weights', weights, [functions]);
	const losses = allocate(context, [functions], logits.tracked, 'f32');
	const probabilities = arena.allocate('f32', logits.shape); // [F, C]
	const dLogits = arena.allocate('f32', logits.shape); // [F, C]
	backend.focalLoss({ losses, probabilities, dLogits }, logits, labels, weights, options);
	record(context, {
		name: 'focalLoss',
		output: losses,
		saved: [dLogits],
		backward: (gradients, dLosses) => {
			backend.scaleRows(dLogits, dLosses);
			gradients.pass(logits, dLogits);
		},
	});
	arena.release(dLogits);
	return { losses, probabilities };
}

/** The same loss from −log p [R], where p comes from `linearCrossEntropy`. */
export function focalOfNegLogP(
	context: Context,
	negLogP: Tensor,
	weights: View,
	options: FocalOptions,
): Tensor {
	const { backend, arena } = context;
	expectShape('focalOfNegLogP', 'weights', weights, negLogP.shape);
	const losses = allocate(context, negLogP.shape, negLogP.tracked, 'f32'); // [R]
	const derivative = arena.allocate('f32', negLogP.shape); // [R]
	backend.focalOfNegLogP({ losses, derivative }, negLogP, weights, options);
	record(context, {
		name: 'focalOfNegLogP',
		output: losses,
		saved: [derivative],
		backward: (gradients, dLosses) => {
			const column = { ...derivative, shape: [derivative.shape[0]!, 1] };
			backend.scaleRows(column, dLosses);
			gradients.pass(negLogP, derivative);
		},
	});
	arena.release(derivative);
	return losses;
}
