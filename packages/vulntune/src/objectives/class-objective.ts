import { focalLoss, release, softmax, upload, uploadIndices } from '@vulntune/engine';
import { classLogits } from '../methods/head.ts';
import { functionStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';

/** The paper's L_class: a classification head on one state per function. */
export const classObjective: Objective = (context, detector, pack, options) => {
	if (detector.head === undefined) throw new TypeError('the class objective needs a detector with a head');
	const { parameters, head } = detector;
	const states = functionStates(context, detector, head.pool, pack, options.checkpointing); // [F, H]
	const logits = classLogits(context, parameters, head, states); // [F, 2]
	release(context, states);
	return {
		losses({ labels, weights }, focal) {
			const classes = uploadIndices(context, labels);
			return focalLoss(context, logits, classes, upload(context, weights), focal).losses; // [F]
		},
		probabilities: () => softmax(context, logits).filter((_, i) => i % 2 === 1),
	};
};
