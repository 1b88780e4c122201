import {
	add,
	type Context,
	convert,
	inputError,
	type Model,
	Tape,
	type Tensor,
	upload,
	uploadIndices,
	uploadSegments,
} from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { PackLabels } from '../objectives/objective.ts';
import { buildPack, type Pack } from '../packing/pack.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { inArena, type PassOptions } from '../scoring/micro-batch.ts';
import { type ScoringOptions, scoringPacking } from '../scoring/score-split.ts';

/**
 * How a function's score is laid to its tokens. `attention`: what a token is attended to in the first block, as LineVul's code has
 * it (Fu & Tantithamthavorn 2022). `gradient`: what enters the first block times the gradient there of the log odds of being
 * vulnerable, summed over the state (Shrikumar et al. 2016): positive where a token speaks for it.
 */
export type Attribution = 'attention' | 'gradient';
export const attributions = ['attention', 'gradient'] as const;

/** Throws ATTRIBUTION_NOT_ENCODER for the attention of a decoder, whose first tokens are attended to by all others. */
function checkAttribution({ config }: Pick<Model, 'config'>, method: Attribution): void {
	if (method === 'gradient' || !config.causal) return;
	throw inputError(
		'ATTRIBUTION_NOT_ENCODER',
		'in a decoder the attention that a token gets says how early it stands: every token sees those before it and none after it',
		{ place: '--method', remedy: 'Use --method gradient, which is for every model.' },
	);
}

/**
 * A score for every token of every function, NaN for those behind the end of a function that was cut. Where windows overlap, a token
 * has the mean of its scores.
 *
 * @param tokens ids per function
 * @returns [functions] of [tokens]
 */
export function attributeTokens(
	detector: Detector,
	tokens: readonly Int32Array[],
	options: ScoringOptions,
	method: Attribution,
): Float64Array[] {
	checkAttribution(detector.model, method);
	// a shared beginning would get the gradients of all functions that have it
	const packing = {
		...scoringPacking(options.packing, options.tokens),
		packLength: options.packing.length,
		sharePrefixes: false,
	};
	const plan = packFunctions(
		tokens.map((ids) => ids.length),
		packing,
		{ tokens },
	);
	const sums = tokens.map((ids) => new Float64Array(ids.length));
	const counts = tokens.map((ids) => new Int32Array(ids.length));
	const attribute = method === 'attention' ? receivedAttention : gradientTimesInput;
	for (const [index, pieces] of plan.packs.entries()) {
		const pack = buildPack(pieces, tokens, options.tokens.separator, 'isolated', options.tokens);
		const values = attribute(detector, pack, options.pass); // [T]
		for (const [f, { functionIndex, start, end }] of pieces.entries()) {
			const first = pack.pieceStarts[f]! + pack.leadingLength;
			for (let token = start; token < end; token++) {
				sums[functionIndex]![token]! += values[first + token - start]!;
				counts[functionIndex]![token]! += 1;
			}
		}
		options.progress?.(index + 1, plan.packs.length);
	}
	// 0 / 0 where no piece holds the token
	return sums.map((own, f) => own.map((sum, token) => sum / counts[f]![token]!));
}

function receivedAttention(
	{ backend, model }: Detector,
	pack: Pack,
	{ precision }: PassOptions,
): Float64Array {
	return inArena(backend, precision, { tape: undefined, dropoutSeed: undefined }, (context) =>
		model.receivedAttention(context, {
			ids: uploadIndices(context, pack.inputIds),
			positions: uploadIndices(context, pack.positionIds),
			segments: uploadSegments(context, pack.segmentStarts, pack.segmentParents),
		}),
	);
}

function gradientTimesInput(detector: Detector, pack: Pack, options: PassOptions): Float64Array {
	// states that were kept of a function have no input any more
	const { keptStates: _kept, lowerStates: _lower, ...computing } = detector;
	// what is stacked beside the model adds the same to the log odds whatever the tokens' states are
	const head = detector.head && { ...detector.head, stacked: false };
	const { backend, parameters } = detector;
	const tape = new Tape();
	return inArena(backend, options.precision, { tape, dropoutSeed: undefined }, (context) => {
		let input: Tensor | undefined;
		const enter = (x: Tensor) => convert(context, (input = asLeaf(context, x)), x.dtype);
		const model: Model = {
			...detector.model,
			hidden: (inner, tensors, how) => detector.model.hidden(inner, tensors, { ...how, enter }),
		};
		const judgement = options.objective(context, { ...computing, head, model }, pack, options);
		const loss = (label: 0 | 1, weight: 1 | -1) => {
			const functions = pack.poolPositions.length;
			const targets: PackLabels = {
				labels: new Int32Array(functions).fill(label),
				weights: new Float32Array(functions).fill(weight),
			};
			return judgement.losses(targets, { gamma: 0, gradient: 'full' }); // [F]
		};
		// the log odds: -log p(clean) + log p(vulnerable)
		const logOdds = add(context, loss(0, 1), loss(1, -1)); // [F]
		tape.backward(context, logOdds, upload(context, new Float32Array(logOdds.shape[0]!).fill(1)));
		const [tokens, hidden] = input!.shape as readonly [number, number];
		const [states, gradients] = [backend.download(input!), backend.download(input!.gradient!)]; // [T, H] each
		// nobody trains on these
		backend.fill(parameters.gradients, 0);
		return Float64Array.from({ length: tokens }, (_, token) => {
			let sum = 0;
			for (let i = token * hidden; i < (token + 1) * hidden; i++) sum += states[i]! * gradients[i]!;
			return sum;
		});
	});
}

/** The same values in f32 as something that is trained, so that their gradient adds up beside them. */
function asLeaf(context: Context, x: Tensor): Tensor {
	// held until the end, when its values are read
	const values = convert(context, x, 'f32'); // [T, H]
	const gradient = upload(context, new Float32Array(x.shape[0]! * x.shape[1]!), x.shape); // [T, H]
	return { ...values, tracked: true, gradient };
}
