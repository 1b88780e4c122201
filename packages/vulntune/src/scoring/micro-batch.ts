import {
	Arena,
	type Backend,
	type Checkpointing,
	type Context,
	type FocalOptions,
	type Pending,
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
	readonly checkpointing: Checkpointing;
}

/**
 * Forward and backward pass of one pack: adds ∂(Σ factor × loss) to the gradients. Nothing waits for the device: a step's packs may
 * follow each other on it.
 *
 * @param factors of each function's loss, [F], or one for all
 * @param dropoutSeed tells this micro-batch's dropout masks apart from all others'
 * @returns [F] the weighted loss of each function, on their way to the host
 */
export function startPack(
	detector: Detector,
	pack: Pack,
	targets: PackLabels,
	factors: number | Float32Array,
	dropoutSeed: number,
	options: PassOptions,
): Pending<Float32Array> {
	const tape = new Tape();
	return inArena(detector.backend, options.precision, { tape, dropoutSeed }, (context) => {
		const losses = options.objective(context, detector, pack, options).losses(targets, options.focal); // [F]
		const values = context.backend.startDownload(losses);
		const dLosses = upload(
			context,
			typeof factors === 'number' ? new Float32Array(losses.shape[0]!).fill(factors) : factors,
		); // [F]
		tape.backward(context, losses, dLosses);
		return () => Float32Array.from(values());
	});
}

/** The same, and waits for the losses. */
export function trainOnPack(...values: Parameters<typeof startPack>): Float32Array {
	return startPack(...values)();
}

export interface PackScores {
	/** [F] of being vulnerable. */
	readonly probabilities: Float32Array;
	/** [F] weighted loss of each function; undefined where their labels aren't known. */
	readonly losses: Float32Array | undefined;
}

/** Forward pass of one pack without gradients or dropout, after which the host waits for the device once. */
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
				: context.backend.startDownload(judgement.losses(targets, options.focal));
		const probabilities = judgement.probabilities();
		return { probabilities: probabilities(), losses: losses && Float32Array.from(losses()) };
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
