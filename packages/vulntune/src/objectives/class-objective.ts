import { add, focalLoss, release, softmax, upload, uploadIndices } from '@vulntune/engine';
import { classLogits } from '../methods/head.ts';
import { functionStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';
import { pairLosses } from './pair-loss.ts';

/** The paper's L_class: a classification head on one state per function. */
export const classObjective: Objective = (context, detector, pack, options) => {
	if (detector.head === undefined) throw new TypeError('the class objective needs a detector with a head');
	const { parameters, head } = detector;
	const states = functionStates(context, detector, head.pool, pack, options.checkpointing); // [F, K]
	const logits = classLogits(context, parameters, head, states, pack.stackedScores); // [F, 2]
	return {
		losses({ labels, weights, pairs }, focal) {
			const classes = uploadIndices(context, labels);
			const { losses } = focalLoss(context, logits, classes, upload(context, weights), focal); // [F]
			if (pairs === undefined) return losses;
			const ofPairs = pairLosses(context, logits, states, labels, pairs); // [F]
			const sum = add(context, losses, ofPairs); // [F]
			release(context, losses, ofPairs);
			return sum;
		},
		probabilities() {
			const ofClasses = softmax(context, logits); // [F, 2]
			return () => ofClasses().filter((_, i) => i % 2 === 1); // [F]
		},
	};
};
