import {
	add,
	type Context,
	constant,
	focalOfNegLogP,
	gatherRows,
	IGNORED_TARGET,
	isQuantized,
	linear,
	linearCrossEntropy,
	outputMatrixOf,
	type Pending,
	release,
	softmax,
	type Tensor,
	upload,
	uploadIndices,
	uploadTargets,
} from '@vulntune/engine';
import { type Answers, answerBranches } from '../methods/answers.ts';
import type { Detector } from '../methods/detector.ts';
import type { Pack } from '../packing/pack.ts';
import { hiddenStates } from './hidden-states.ts';
import type { Objective } from './objective.ts';

/**
 * The next-token objective: after the function and the question, the model says YES or NO. The loss is −log p of the whole right
 * answer, the sum over its tokens of −log p over the whole vocabulary; the score is the probability of YES against NO alone.
 *
 * Where an answer has several tokens, the pack holds {@link answerBranches} behind each question.
 */
export function nextTokenObjective(answers: Answers): Objective {
	const branches = answerBranches(answers).reduce((sum, branch) => sum + branch.length, 0);
	return (context, detector, pack, options) => {
		const rows = answerRows(pack, branches);
		const states = hiddenStates(context, detector, pack, options.checkpointing, rows); // [F × (1 + branches), H]
		return {
			losses({ labels, weights }, focal) {
				const negLogP = answerNegLogP(context, detector, states, answers, labels); // [F]
				const losses = focalOfNegLogP(context, negLogP, upload(context, weights), focal); // [F]
				release(context, negLogP);
				return losses;
			},
			probabilities() {
				const score = branches === 0 ? oneTokenProbabilities : answerProbabilities;
				return score(context, detector, states, answers, pack.poolPositions.length); // [F]
			},
		};
	};
}

/** Of each function the last token of the question, and those of the branches behind it. */
function answerRows({ poolPositions }: Pack, branches: number): Int32Array {
	const each = 1 + branches;
	return Int32Array.from({ length: each * poolPositions.length }, (_, i) => {
		return poolPositions[Math.floor(i / each)]! + (i % each);
	});
}

/**
 * −log p [F] of one answer per function, YES where the label is 1.
 *
 * @param states [F × (1 + branches), H]
 */
function answerNegLogP(
	context: Context,
	{ model }: Detector,
	states: Tensor,
	answers: Answers,
	labels: ArrayLike<number>,
): Tensor {
	const languageHead = outputMatrixOf(model); // [V, H]
	// states and what is made from them are no activations
	const exact: Context = { ...context, precision: 'fp32' };
	const functions = labels.length;
	const each = states.shape[0]! / functions;
	const answerOf = (f: number) => (labels[f] === 1 ? answers.yes : answers.no);
	// NO's tokens lie before YES's
	const branchOf = (f: number) => (labels[f] === 1 ? answers.no.length - 1 : 0);
	const longest = Math.max(answers.yes.length, answers.no.length);
	let sum: Tensor | undefined;
	for (let place = 0; place < longest; place++) {
		const isThere = (f: number) => place < answerOf(f).length;
		const targets = Int32Array.from(labels, (_, f) => (isThere(f) ? answerOf(f)[place]! : IGNORED_TARGET)); // [F]
		// what follows the question is said by its last token, what follows a token of the answer by that
		const rows = Int32Array.from(labels, (_, f) => {
			return f * each + (place > 0 && isThere(f) ? branchOf(f) + place : 0);
		}); // [F]
		const said = each === 1 ? states : gatherRows(exact, states, uploadIndices(context, rows)); // [F, H]
		const negLogP = linearCrossEntropy(context, said, languageHead, uploadTargets(context, targets)); // [F]
		if (said !== states) release(context, said);
		if (sum === undefined) {
			sum = negLogP;
			continue;
		}
		const next = add(context, sum, negLogP); // [F]
		release(context, sum, negLogP);
		sum = next;
	}
	return sum!;
}

/** [F] probability of YES against NO, from those of the whole answers. */
function answerProbabilities(
	context: Context,
	detector: Detector,
	states: Tensor,
	answers: Answers,
	functions: number,
): Pending<Float32Array> {
	const plain: Context = { ...context, tape: undefined, precision: 'fp32' };
	const negLogPOf = (label: 0 | 1) => {
		const labels = new Int32Array(functions).fill(label);
		return context.backend.startDownload(answerNegLogP(plain, detector, constant(states), answers, labels)); // [F]
	};
	const started = [negLogPOf(0), negLogPOf(1)] as const;
	return () => {
		const [no, yes] = [started[0](), started[1]()];
		return Float32Array.from({ length: functions }, (_, f) => 1 / (1 + Math.exp(yes[f]! - no[f]!)));
	};
}

/** The same for answers of one token each, whose two logits are all that is needed of the vocabulary. */
function oneTokenProbabilities(
	context: Context,
	{ model }: Detector,
	states: Tensor,
	{ no, yes }: Answers,
): Pending<Float32Array> {
	const languageHead = outputMatrixOf(model); // [V, H]
	if (isQuantized(languageHead)) throw new TypeError('output matrices are never quantised');
	const plain: Context = { ...context, tape: undefined, precision: 'fp32' };
	const rows = uploadIndices(plain, Int32Array.of(no[0]!, yes[0]!));
	const pair = gatherRows(plain, constant(languageHead), rows); // [2, H]
	const logits = linear(plain, constant(states), { weight: pair }); // [F, 2]
	const ofAnswers = softmax(plain, logits); // [F, 2]
	return () => ofAnswers().filter((_, i) => i % 2 === 1); // [F]
}
