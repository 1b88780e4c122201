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
	if (original.length !== restored.length || original.length === 0) {
		throw new RangeError(
			`two arrays of equal length expected, found ${original.length} and ${restored.length}`,
		);
	}
	let maxAbs = 0;
	let sumAbs = 0;
	let noise = 0;
	let signal = 0;
	for (let index = 0; index < original.length; index++) {
		const value = original[index]!;
		const difference = Math.abs(restored[index]! - value);
		if (!(difference <= maxAbs)) maxAbs = difference; // also where it is NaN
		sumAbs += difference;
		noise += difference * difference;
		signal += value * value;
	}
	const relativeRms = noise === 0 ? 0 : Math.sqrt(noise / signal);
	return {
		maxAbs,
		meanAbs: sumAbs / original.length,
		rms: Math.sqrt(noise / original.length),
		relativeRms,
		signalToNoiseDecibels: -20 * Math.log10(relativeRms),
	};
}
