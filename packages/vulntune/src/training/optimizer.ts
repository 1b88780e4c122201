import {
	type Backend,
	type DeviceBuffer,
	elements,
	type ParameterSpec,
	type Parameters,
	type View,
	viewOf,
} from '@vulntune/engine';

export interface AdamWSettings {
	/** Of matrices; what has one dimension (norms, biases) never decays. */
	readonly weightDecay: number;
	/** Longest gradient that is used as it is; longer ones are scaled down to it. Null for no clipping. */
	readonly clipNorm: number | null;
}

export interface Optimizer {
	readonly backend: Backend;
	/** What the gradients of a step add up in. */
	readonly gradients: View;
	readonly firstMoment: View;
	readonly secondMoment: View;
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
	const buffers: DeviceBuffer[] = [];
	const zeros = (): View => {
		const view = viewOf(backend.allocate('f32', values.shape[0]!), values.shape);
		backend.fill(view, 0);
		buffers.push(view.buffer);
		return view;
	};
	const firstMoment = zeros();
	const secondMoment = zeros();
	const stretches = decayStretches(parameters.specs);
	return {
		backend,
		gradients,
		firstMoment,
		secondMoment,
		step(step, learningRate) {
			const norm = Math.sqrt(backend.sumOfSquares(gradients));
			// torch's clip_grad_norm_: the 1e-6 keeps a zero gradient finite
			const gradientScale = settings.clipNorm === null ? 1 : Math.min(1, settings.clipNorm / (norm + 1e-6));
			for (const { start, length, decays } of stretches) {
				const part = ({ buffer, offset }: View) => viewOf(buffer, [length], offset + start);
				backend.adamW(part(values), part(gradients), part(firstMoment), part(secondMoment), {
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
		free() {
			for (const buffer of buffers) backend.free(buffer);
		},
	};
}

/** Elements [start, start + length) of the flat vectors, all of which decay, or none. */
interface DecayStretch {
	readonly start: number;
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
