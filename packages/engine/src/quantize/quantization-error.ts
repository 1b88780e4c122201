import type { ErrorSums } from '../backends/contract.ts';
import { errorSums } from '../backends/error-sums.ts';

/** How far restored values lie from the original ones. */
export interface QuantizationError {
	/** Largest magnitude of a difference. */
	readonly maxAbs: number;
	/** Mean magnitude of the differences. */
	readonly meanAbs: number;
	/** Root of the mean squared difference. */
	readonly rms: number;
	/** `rms` divided by the root mean square of the originals; 0 where both are 0. */
	readonly relativeRms: number;
	/** Signal-to-noise ratio in decibels, 20 log10(1 / relativeRms); Infinity where nothing differs. */
	readonly signalToNoiseDecibels: number;
}

/** Compares two arrays of equal, positive length; sums in float64. */
export function quantizationError(original: Float32Array, restored: Float32Array): QuantizationError {
	return describeErrors(errorSums(original, restored));
}

/** The figures of at least one element. */
export function describeErrors({ elements, maxAbs, abs, noise, signal }: ErrorSums): QuantizationError {
	const relativeRms = noise === 0 ? 0 : Math.sqrt(noise / signal);
	return {
		maxAbs,
		meanAbs: abs / elements,
		rms: Math.sqrt(noise / elements),
		relativeRms,
		signalToNoiseDecibels: -20 * Math.log10(relativeRms),
	};
}
