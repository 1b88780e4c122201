import {
	add,
	type Context,
	focalLoss,
	gatherRows,
	linear,
	multiply,
	release,
	rmsNorm,
	type Tensor,
	upload,
	uploadIndices,
} from '@vulntune/engine';
import type { PairLossKind } from './pair-loss-kinds.ts';

/** The pairs of a pack, and how much they count. */
export interface PackPairs {
	readonly kind: PairLossKind;
	readonly weight: number;
	/** [F] place of the other function of its pair; its own place where that isn't in the pack. */
	readonly partners: Int32Array;
}

/** Below it a cosine between states is sharpened: 0.1 as in SimCLR (Chen et al. 2020). */
const TEMPERATURE = 0.1;
/** Keeps a state of zeros finite. */
const EPSILON = 1e-6;

/**
 * The loss of each function's pair, half of it at either of the two, 0 for a function without a partner: [F].
 * rank: −log σ(z_vulnerable − z_fixed), z the log odds. contrastive: −log σ(−cos(h_vulnerable, h_fixed) / 0.1).
 *
 * @param logits [F, 2]
 * @param states [F, H]
 * @param labels [F]
 */
export function pairLosses(
	context: Context,
	logits: Tensor,
	states: Tensor,
	labels: Int32Array,
	{ kind, weight, partners }: PackPairs,
): Tensor {
	const exact: Context = { ...context, precision: 'fp32' };
	const isVulnerable = (f: number) => labels[f] === 1;
	const vulnerable = Int32Array.from(partners, (partner, f) => (isVulnerable(f) ? f : partner)); // [F]
	const fixed = Int32Array.from(partners, (partner, f) => (isVulnerable(f) ? partner : f)); // [F]
	const score = kind === 'rank' ? rankScores : closeness;
	const [from, to] = [uploadIndices(exact, vulnerable), uploadIndices(exact, fixed)];
	const compared = score(exact, kind === 'rank' ? logits : states, from, to); // [F, 2]
	const classes = uploadIndices(exact, new Int32Array(labels.length).fill(1)); // [F]
	const weights = Float32Array.from(partners, (partner, f) => (partner === f ? 0 : weight / 2)); // [F]
	const plain = { gamma: 0, gradient: 'full' } as const;
	const { losses } = focalLoss(exact, compared, classes, upload(exact, weights), plain); // [F]
	release(exact, compared);
	return losses;
}

type Rows = ReturnType<typeof uploadIndices>;

/** [F, 2] the log odds of the fixed function, and of the vulnerable one: that the second is larger is the right class. */
function rankScores(context: Context, logits: Tensor, vulnerable: Rows, fixed: Rows): Tensor {
	const second = upload(context, Float32Array.of(0, 0, -1, 1), [2, 2]);
	const first = upload(context, Float32Array.of(-1, 1, 0, 0), [2, 2]);
	const ofVulnerable = linear(context, gatherRows(context, logits, vulnerable), { weight: second }); // [F, 2]
	const ofFixed = linear(context, gatherRows(context, logits, fixed), { weight: first }); // [F, 2]
	return add(context, ofFixed, ofVulnerable); // [F, 2]
}

/** [F, 2] the cosine of both states over the temperature, and 0: that the second is larger is the right class. */
function closeness(context: Context, states: Tensor, vulnerable: Rows, fixed: Rows): Tensor {
	const size = states.shape[1]!;
	const ones = upload(context, new Float32Array(size).fill(1)); // [H]
	// rows of length √H
	const directions = rmsNorm(context, states, ones, EPSILON); // [F, H]
	const product = multiply(
		context,
		gatherRows(context, directions, vulnerable),
		gatherRows(context, directions, fixed),
	); // [F, H]
	const sum = new Float32Array(2 * size).fill(1 / (size * TEMPERATURE), 0, size);
	return linear(context, product, { weight: upload(context, sum, [2, size]) }); // [F, 2]
}
