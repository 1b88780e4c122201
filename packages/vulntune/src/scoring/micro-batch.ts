import {
	Arena,
	type Backend,
	type Context,
	type FocalOptions,
	type Precision,
	Tape,
	upload,
} from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Objective, PackLabels } from '../objectives/objective.ts';
import type { Pack } from '../packing/pack.ts';

/** How a pack is computed. */
export interface PassOptions {
	readonly objective: Objective;
	readonly precision: Precision;
	readonly focal: FocalOptions;
	readonly checkpointing: boolean;
}

/**
 * Forward and backward pass of one pack: adds factor × ∂(Σ losses) to the gradients.
 *
 * @param dropoutSeed tells this micro-batch's dropout masks apart from all others'
 * @returns [F] the weighted loss of each function
 */
export function trainOnPack(
	detector: Detector,
	pack: Pack,
	targets: PackLabels,
	factor: number,
	dropoutSeed: number,
	options: PassOptions,
): Float32Array {
	const tape = new Tape();
	return inArena(detector.backend, options.precision, { tape, dropoutSeed }, (context) => {
		const losses = options.objective(context, detector, pack, options).losses(targets, options.focal); // [F]
		const values = Float32Array.from(context.backend.download(losses));
		const dLosses = upload(context, new Float32Array(values.length).fill(factor)); // [F]
		tape.backward(context, losses, dLosses);
		return values;
	});
}

export interface PackScores {
	/** [F] of being vulnerable. */
	readonly probabilities: Float32Array;
	/** [F] weighted loss of each function; undefined where their labels aren't known. */
	readonly losses: Float32Array | undefined;
}

/** Forward pass of one pack without gradients or dropout. */
export function scorePack(
	detector: Detector,
	pack: Pack,
	options: PassOptions,
	targets?: PackLabels,
): PackScores {
	const mode = { tape: undefined, dropoutSeed: undefined };
	return inArena(detector.backend, options.precision, mode, (context) => {
		const judgement = options.objective(context, detector, pack, options);
		const losses =
			targets === undefined
				? undefined
				: Float32Array.from(context.backend.download(judgement.losses(targets, options.focal)));
		return { probabilities: judgement.probabilities(), losses };
	});
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
