const twoOverRootPi = 2 / Math.sqrt(Math.PI);

/** Below: the series; from here on the continued fraction, of which `levels` levels then suffice for float64. */
const split = 2;
const levels = 60;

/** The error function to about 1e-15: Abramowitz & Stegun 1964, 7.1.6 and 7.1.14. */
export function erf(x: number): number {
	return Math.abs(x) < split ? series(x) : Math.sign(x) * (1 - continuedFraction(Math.abs(x)));
}

/** 1 − erf(x), also where that is tiny. */
export function erfc(x: number): number {
	if (Math.abs(x) < split) return 1 - series(x);
	return x > 0 ? continuedFraction(x) : 2 - continuedFraction(-x);
}

/** 7.1.6: erf x = 2/√π × e^(−x²) × Σ 2ⁿ x^(2n + 1) / (1·3·…·(2n + 1)). All terms have one sign: nothing cancels. */
function series(x: number): number {
	const doubledSquare = 2 * x * x;
	let term = x;
	let sum = x;
	for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
		term *= doubledSquare / odd;
		sum += term;
	}
	return twoOverRootPi * Math.exp(-x * x) * sum;
}

/** 7.1.14 for x > 0: erfc x = e^(−x²)/√π × 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), from the inside out. */
function continuedFraction(x: number): number {
	let denominator = x;
	for (let level = levels; level > 0; level--) denominator = x + level / 2 / denominator;
	return (twoOverRootPi / 2) * (Math.exp(-x * x) / denominator);
}
