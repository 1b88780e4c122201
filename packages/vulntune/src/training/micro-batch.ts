import { Arena, type Backend, type Context, type Precision, Tape, upload } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Objective, ObjectiveOptions, PackLabels } from '../objectives/objective.ts';
import type { Pack } from '../packing/pack.ts';

export interface PassOptions extends ObjectiveOptions {
	readonly objective: Objective;
	readonly precision: Precision;
}

export interface PassResult {
	/** [F] weighted loss of each function. */
	readonly losses: Float32Array;
	/** [F] probability of being vulnerable. */
	readonly probabilities: Float64Array;
}

/**
 * Forward and backward pass of one pack: adds factor × ∂(Σ losses) to the gradients.
 *
 * @param dropoutSeed tells this micro-batch's dropout masks apart from all others'
 */
export function trainOnPack(
	detector: Detector,
	pack: Pack,
	targets: PackLabels,
	factor: number,
	dropoutSeed: number,
	options: PassOptions,
): PassResult {
	const tape = new Tape();
	return inArena(detector.backend, options.precision, { tape, dropoutSeed }, (context) => {
		const { losses, probabilities } = options.objective(context, detector, pack, targets, options);
		const dLosses = upload(context, new Float32Array(losses.shape[0]!).fill(factor)); // [F]
		const result = download(context, losses, probabilities);
		tape.backward(context, losses, dLosses);
		return result;
	});
}

/** Forward pass of one pack without gradients or dropout. */
export function scorePack(
	detector: Detector,
	pack: Pack,
	targets: PackLabels,
	options: PassOptions,
): PassResult {
	return inArena(
		detector.backend,
		options.precision,
		{ tape: undefined, dropoutSeed: undefined },
		(context) => {
			const { losses, probabilities } = options.objective(context, detector, pack, targets, options);
			return download(context, losses, probabilities);
		},
	);
}

function download(
	context: Context,
	losses: Parameters<Context['backend']['download']>[0],
	probabilities: Parameters<Context['backend']['download']>[0],
): PassResult {
	const pairs = context.backend.download(probabilities); // [F, 2]
	return {
		losses: Float32Array.from(context.backend.download(losses)),
		probabilities: Float64Array.from({ length: pairs.length / 2 }, (_, f) => pairs[2 * f + 1]!),
	};
}

/** Runs `body` with memory of its own, all of which is given back at its end. */
export function inArena<Result>(
	backend: Backend,
	precision: Precision,
	mode: Pick<Context, 'tape' | 'dropoutSeed'>,
	body: (context: Context) => Result,
): Result {
	const arena = new Arena(backend);
	try {
		return body({ backend, precision, arena, ...mode });
	} finally {
		arena.close();
	}
}
