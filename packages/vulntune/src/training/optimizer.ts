import { type Backend, type DeviceBuffer, type Parameters, type View, viewOf } from '@vulntune/engine';

export interface AdamWSettings {
	readonly weightDecay: number;
	/** Longest gradient that is used as it is; longer ones are scaled down to it. Null for no clipping. */
	readonly clipNorm: number | null;
}

export interface Optimizer {
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

/** AdamW with torch's defaults (β 0.9 and 0.999, ε 1e-8) over all trainable parameters as one vector. */
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
	return {
		firstMoment,
		secondMoment,
		step(step, learningRate) {
			const norm = Math.sqrt(backend.sumOfSquares(gradients));
			// torch's clip_grad_norm_: the 1e-6 keeps a zero gradient finite
			const gradientScale = settings.clipNorm === null ? 1 : Math.min(1, settings.clipNorm / (norm + 1e-6));
			backend.adamW(values, gradients, firstMoment, secondMoment, {
				learningRate,
				beta1: 0.9,
				beta2: 0.999,
				epsilon: 1e-8,
				weightDecay: settings.weightDecay,
				step,
				gradientScale,
			});
			backend.fill(gradients, 0);
			return norm;
		},
		free() {
			for (const buffer of buffers) backend.free(buffer);
		},
	};
}
