import type { ErrorSums } from './contract.ts';

export const noErrors: ErrorSums = { elements: 0, maxAbs: 0, abs: 0, noise: 0, signal: 0 };

/** The sums for two arrays of equal, positive length, in float64. */
export function errorSums(original: ArrayLike<number>, restored: ArrayLike<number>): ErrorSums {
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
