import type { Targets, Weight } from '../backends/contract.ts';
import { floatPrecision, viewsOf } from '../backends/contract.ts';
import { expectRows } from '../backends/indices.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { trainableWeight } from './linear.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/**
 * −log p [R] of the target tokens under softmax(hidden · Wᵀ), hidden [R, H], W [V, H], in chunks that never hold
 * R × V logits. A target of −100 gives 0.
 */
export function linearCrossEntropy(
	context: Context,
	hidden: Tensor,
	weight: Weight | Tensor,
	targets: Targets,
): Tensor {
	const { backend, arena } = context;
	const precision = floatPrecision(context.precision);
	const [rows, size] = matrixSizes('linearCrossEntropy', 'hidden', hidden);
	expectShape('linearCrossEntropy', 'weight', weight, [-1, size]);
	expectShape('linearCrossEntropy', 'targets', targets, [rows]);
	expectRows({ below: targets.classes }, weight.shape[0]!);
	const trainable = trainableWeight(weight);
	const losses = allocate(context, [rows], hidden.tracked || trainable !== undefined, 'f32');
	const logSumExp = arena.allocate('f32', [rows]);
	backend.linearCrossEntropy(losses, logSumExp, hidden, weight, targets, precision);
	record(context, {
		name: 'linearCrossEntropy',
		output: losses,
		saved: [hidden, targets, logSumExp, ...viewsOf(weight)],
		backward: (gradients, dLosses) =>
			backend.linearCrossEntropyBackward(
				{
					dHidden: gradients.into(hidden),
					dWeight: trainable === undefined ? undefined : gradients.into(trainable),
				},
				{ hidden, weight, targets, logSumExp },
				dLosses,
				precision,
			),
	});
	arena.release(logSumExp);
	return losses;
}
