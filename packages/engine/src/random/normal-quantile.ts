/**
 * Natural logarithm of a positive finite number from IEEE-exact operations alone (+, -, *, /), within 1 ulp or two.
 * `Math.log` may differ between JavaScript engines and versions; random weights made through it would then too.
 */
export function exactLog(x: number): number {
	let mantissa = x;
	let exponent = 0;
	while (mantissa < 2 ** -32) {
		mantissa *= 2 ** 32;
		exponent -= 32;
	}
	while (mantissa > 2 ** 32) {
		mantissa *= 2 ** -32;
		exponent += 32;
	}
	while (mantissa < Math.SQRT1_2) {
		mantissa *= 2;
		exponent -= 1;
	}
	while (mantissa > Math.SQRT2) {
		mantissa *= 0.5;
		exponent += 1;
	}
	// log m = 2 atanh((m - 1) / (m + 1)) = 2 (s + s^3/3 + s^5/5 + ...), |s| <= 0.1716: the terms left out are below 1e-19.
	const s = (mantissa - 1) / (mantissa + 1);
	const square = s * s;
	let series = 0;
	for (let power = 23; power >= 3; power -= 2) series = (series + 1 / power) * square;
	// ln 2 in two parts: the first has 21 trailing zero bits, so its product with an exponent (at most 11 bits) is exact.
	return exponent * 0.6931471803691238 + (2 * s + (2 * s * series + exponent * 1.9082149292705877e-10));
}

/** Value of the polynomial with `coefficients` (constant first) at x. */
function polynomial(coefficients: readonly number[], x: number): number {
	let sum = 0;
	for (let index = coefficients.length - 1; index >= 0; index--) sum = sum * x + coefficients[index]!;
	return sum;
}

// Rational approximations of M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution",
// Applied Statistics 37 (1988), variant PPND16 (relative error about 1e-16): centre, near tail, far tail.
const centreNumerator = [
	3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
	67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const centreDenominator = [
	1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
	28729.085735721943, 5226.495278852854,
];
const nearNumerator = [
	1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
	0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const nearDenominator = [
	1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
	0.0005475938084995345, 1.0507500716444169e-9,
];
const farNumerator = [
	6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
	0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const farDenominator = [
	1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
	1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
];

/**
 * The standard normal quantile Q(p), the x with P(X <= x) = p; Q(0) = -Infinity, Q(1) = Infinity, NaN outside [0, 1].
 * Accurate to about 1e-15 relative and the same on every machine: only IEEE-exact operations (`Math.sqrt` is one).
 *
 * `normalQuantile(0.975)` → 1.959963984540054
 */
export function normalQuantile(p: number): number {
	if (!(p >= 0 && p <= 1)) return Number.NaN;
	if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
	const centred = p - 0.5;
	if (Math.abs(centred) <= 0.425) {
		const r = 0.180625 - centred * centred;
		return (centred * polynomial(centreNumerator, r)) / polynomial(centreDenominator, r);
	}
	const r = Math.sqrt(-exactLog(centred < 0 ? p : 1 - p));
	const magnitude =
		r <= 5
			? polynomial(nearNumerator, r - 1.6) / polynomial(nearDenominator, r - 1.6)
			: polynomial(farNumerator, r - 5) / polynomial(farDenominator, r - 5);
	return centred < 0 ? -magnitude : magnitude;
}
