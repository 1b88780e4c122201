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

/** What the figures are made of: sums over elements, so that those of several matrices can be added. */
export interface ErrorSums {
	readonly elements: number;
	readonly maxAbs: number;
	/** Σ |difference| */
	readonly abs: number;
	/** Σ difference² */
	readonly noise: number;
	/** Σ original² */
	readonly signal: number;
}

export const noErrors: ErrorSums = { elements: 0, maxAbs: 0, abs: 0, noise: 0, signal: 0 };

/** Compares two arrays of equal, positive length; sums in float64. */
export function quantizationError(original: Float32Array, restored: Float32Array): QuantizationError {
	return describeErrors(errorSums(original, restored));
}

/** The sums for two arrays of equal, positive length, in float64. */
export function errorSums(original: Float32Array, restored: Float32Array): ErrorSums {
	if (original.length !== restored.length || original.length === 0) {
		throw new RangeError(
			`two arrays of equal length expected, found ${original.length} and ${restored.length}`,
		);
	}
	let maxAbs = 0;
	let abs = 0;
	let noise = 0;
	let signal = 0;
	for (let index = 0; index < original.length; index++) {
		const value = original[index]!;
		const difference = Math.abs(restored[index]! - value);
		if (!(difference <= maxAbs)) maxAbs = difference; // also where it is NaN
		abs += difference;
		noise += difference * difference;
		signal += value * value;
	}
	return { elements: original.length, maxAbs, abs, noise, signal };
}

/** The sums over both. */
export function addErrors(a: ErrorSums, b: ErrorSums): ErrorSums {
	return {
		elements: a.elements + b.elements,
		maxAbs: Math.max(a.maxAbs, b.maxAbs),
		abs: a.abs + b.abs,
		noise: a.noise + b.noise,
		signal: a.signal + b.signal,
	};
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
