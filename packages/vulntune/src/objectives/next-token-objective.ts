import {
	type Context,
	constant,
	focalLoss,
	focalOfNegLogP,
	gatherRows,
	inputError,
	isQuantized,
	languageHeadOf,
	linear,
	linearCrossEntropy,
	release,
	type Tensor,
	upload,
	uploadIndices,
	uploadTargets,
	type View,
} from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import { functionStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';

/** The tokens of the answers: what the model should say after a function. */
export interface Answers {
	readonly no: number;
	readonly yes: number;
}

/**
 * The next-token objective: after the function and the question, the model's next token is YES or NO. The loss is
 * over the whole vocabulary; the score is the probability of YES against NO alone.
 */
export function nextTokenObjective(answers: Answers): Objective {
	return (context, detector, pack, targets, options) => {
		const last = functionStates(context, detector, 'last', pack, options.checkpointing); // [F, H]
		const tokens = targets.labels.map((label) => (label === 1 ? answers.yes : answers.no)); // [F]
		const languageHead = languageHeadOf(detector.model);
		const negLogP = linearCrossEntropy(context, last, languageHead, uploadTargets(context, tokens)); // [F]
		const weights = upload(context, targets.weights);
		const losses = focalOfNegLogP(context, negLogP, weights, options.focal); // [F]
		const probabilities = answerProbabilities(context, detector, last, answers); // [F, 2]
		release(context, last, negLogP);
		return { losses, probabilities };
	};
}

function answerProbabilities(context: Context, detector: Detector, last: Tensor, answers: Answers): View {
	const languageHead = languageHeadOf(detector.model);
	if (isQuantized(languageHead)) throw new TypeError('output matrices are never quantised');
	const plain: Context = { ...context, tape: undefined, precision: 'fp32' };
	const rows = uploadIndices(plain, Int32Array.of(answers.no, answers.yes));
	const pair = gatherRows(plain, constant(languageHead), rows); // [2, H]
	const logits = linear(plain, constant(last), { weight: pair }); // [F, 2]
	const functions = last.shape[0]!;
	const labels = uploadIndices(plain, new Int32Array(functions));
	const weights = upload(plain, new Float32Array(functions));
	const { probabilities } = focalLoss(plain, logits, labels, weights, { gamma: 0, gradient: 'full' });
	return probabilities;
}

/** The token that an answer begins with. Throws ANSWER_TOKENS where YES and NO begin alike. */
export function answerTokens(encode: (text: string) => ArrayLike<number>, yes: string, no: string): Answers {
	const [yesToken, noToken] = [encode(yes)[0], encode(no)[0]];
	if (yesToken === undefined || noToken === undefined || yesToken === noToken) {
		throw inputError('ANSWER_TOKENS', `the answers ${yes} and ${no} begin with the same token`, {
			place: 'nextToken',
			remedy: 'Choose answers whose first tokens differ.',
		});
	}
	return { no: noToken, yes: yesToken };
}
