import {
	type Backend,
	elements,
	type ParameterSpec,
	type Parameters,
	type View,
	viewOf,
} from '@vulntune/engine';
import { createMoments, type OptimizerName, type Stretch } from './moments.ts';

export interface AdamWSettings {
	/** Default `adamw`. */
	readonly name?: OptimizerName;
	/** Of matrices; what has one dimension (norms, biases) never decays. */
	readonly weightDecay: number;
	/** Longest gradient that is used as it is; longer ones are scaled down to it. Null for no clipping. */
	readonly clipNorm: number | null;
}

export interface Optimizer {
	readonly backend: Backend;
	/** What the gradients of a step add up in. */
	readonly gradients: View;
	/** What it remembers from step to step, by the names of a checkpoint. */
	readonly moments: ReadonlyMap<string, View>;
	/**
	 * One AdamW step on the gradients that have added up, which are then zero again.
	 *
	 * @param step counted from 1, for the bias correction
	 * @returns norm of all gradients together before clipping
	 */
	step(step: number, learningRate: number): number;
	free(): void;
}

/**
 * AdamW with torch's defaults (β 0.9 and 0.999, ε 1e-8) over all trainable parameters as one vector, the gradient's norm included.
 * Matrices decay, embeddings among them; norms and biases don't, as is the convention (nanoGPT's `configure_optimizers`).
 */
export function createOptimizer(
	backend: Backend,
	parameters: Parameters,
	settings: AdamWSettings,
): Optimizer {
	const { values, gradients } = parameters;
	const stretches = decayStretches(parameters.specs);
	const moments = createMoments(backend, settings.name ?? 'adamw', stretches);
	return {
		backend,
		gradients,
		moments: moments.vectors,
		step(step, learningRate) {
			const norm = Math.sqrt(backend.sumOfSquares(gradients));
			// torch's clip_grad_norm_: the 1e-6 keeps a zero gradient finite
			const gradientScale = settings.clipNorm === null ? 1 : Math.min(1, settings.clipNorm / (norm + 1e-6));
			for (const stretch of stretches) {
				const { start, length, decays } = stretch;
				const part = ({ buffer, offset }: View) => viewOf(buffer, [length], offset + start);
				moments.take(stretch, part(values), part(gradients), {
					learningRate,
					beta1: 0.9,
					beta2: 0.999,
					epsilon: 1e-8,
					weightDecay: decays ? settings.weightDecay : 0,
					step,
					gradientScale,
				});
			}
			backend.fill(gradients, 0);
			return norm;
		},
		free: moments.free,
	};
}

/** All of it decays, or nothing. */
interface DecayStretch extends Stretch {
	length: number;
	readonly decays: boolean;
}

/** The flat vectors in as few stretches as there are changes from matrices to others and back. */
function decayStretches(specs: readonly ParameterSpec[]): readonly DecayStretch[] {
	const stretches: DecayStretch[] = [];
	let start = 0;
	for (const { shape } of specs) {
		const length = elements(shape);
		const decays = shape.length > 1;
		const last = stretches.at(-1);
		if (last?.decays === decays) last.length += length;
		else stretches.push({ start, length, decays });
		start += length;
	}
	return stretches;
}
