import { focalLoss, release, upload, uploadIndices } from '@vulntune/engine';
import { classLogits } from '../methods/head.ts';
import { functionStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';

/** The paper's L_class: a classification head on one state per function. */
export const classObjective: Objective = (context, detector, pack, targets, options) => {
	if (detector.head === undefined) throw new TypeError('the class objective needs a detector with a head');
	const { parameters, head } = detector;
	const states = functionStates(context, detector, head.pool, pack, options.checkpointing); // [F, H]
	const logits = classLogits(context, parameters, head, states); // [F, 2]
	const labels = uploadIndices(context, targets.labels);
	const weights = upload(context, targets.weights);
	const output = focalLoss(context, logits, labels, weights, options.focal); // [F], [F, 2]
	release(context, states, logits);
	return output;
};
