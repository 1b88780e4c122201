import { focalLoss, release, upload } from '@vulntune/engine';
import { classLogits } from '../methods/head.ts';
import { hiddenStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';

/** The paper's L_class: a classification head on one state per function. */
export const classObjective: Objective = (context, detector, pack, targets, options) => {
	if (detector.head === undefined) throw new TypeError('the class objective needs a detector with a head');
	const hidden = hiddenStates(context, detector, pack, options.checkpointing); // [T, H]
	const logits = classLogits(context, detector.parameters, detector.head, hidden, pack); // [F, 2]
	const labels = upload(context, targets.labels);
	const weights = upload(context, targets.weights);
	const output = focalLoss(context, logits, labels, weights, options.focal); // [F], [F, 2]
	release(context, hidden, logits);
	return output;
};
