/**
 * The codebooks of bitsandbytes: which value in [-1, 1] a code stands for, before it is multiplied by its block's absmax.
 */

/**
 * NF4 by code, [16], ascending: the 4-bit NormalFloat of Dettmers et al., "QLoRA" (2023), appendix E. Constants and not
 * `quantileCodebook(4, 'normal_map')`, from which they differ in the seventh digit: every NF4 checkpoint uses these.
 */
export const nf4Codebook: Float32Array = Float32Array.of(
	-1,
	-0.6961928009986877,
	-0.5250730514526367,
	-0.39491748809814453,
	-0.28444138169288635,
	-0.18477343022823334,
	-0.09105003625154495,
	0,
	0.07958029955625534,
	0.16093020141124725,
	0.24611230194568634,
	0.33791524171829224,
	0.44070982933044434,
	0.5626170039176941,
	0.7229568362236023,
	1,
);

const fp4Magnitudes = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4];

/**
 * FP4 by code, [16], not ascending: bit 3 of a code is the sign, bits 2 and 1 the exponent, bit 0 the mantissa, divided by the
 * largest value; the one subnormal is 1/192. Codes 0 and 8 both stand for 0 (not -0), as in bitsandbytes' files.
 */
export const fp4Codebook: Float32Array = Float32Array.of(
	...fp4Magnitudes,
	...fp4Magnitudes.map((magnitude) => 0 - magnitude),
);

let cachedDynamicCodebook: Float32Array | undefined;
let cachedUnsignedCodebook: Float32Array | undefined;

/**
 * The signed dynamic 8-bit map by code, [256], ascending (Dettmers, "8-bit approximations for parallelism in deep learning", 2015):
 * for every exponent e = -6 … 0, the middles of 2^(e + 6) equal parts of [0.1, 1], times 10^e, with both signs; 0; 1.
 * Every step is rounded to float32 as in bitsandbytes, whose checkpoints hold these exact numbers.
 */
export function dynamicCodebook(): Float32Array {
	cachedDynamicCodebook ??= makeDynamicCodebook(true);
	return cachedDynamicCodebook;
}

/** The same of numbers that are not negative, in twice as many parts: second moments of 8-bit optimisers. */
export function unsignedDynamicCodebook(): Float32Array {
	cachedUnsignedCodebook ??= makeDynamicCodebook(false);
	return cachedUnsignedCodebook;
}

function makeDynamicCodebook(isSigned: boolean): Float32Array {
	const values = [0, 1];
	for (let exponent = -6; exponent <= 0; exponent++) {
		const parts = 2 ** (exponent + (isSigned ? 6 : 7));
		// Parsed, because 10 ** -6 need not be the float64 nearest to a millionth in every engine.
		const scale = Math.fround(Number(`1e${exponent}`));
		for (let part = 0; part < parts; part++) {
			const edges = Math.fround(partEdge(part, parts) + partEdge(part + 1, parts));
			const value = Math.fround(scale * (edges / 2));
			values.push(...(isSigned ? [value, -value] : [value]));
		}
	}
	return Float32Array.from(values).sort();
}

/** Edge number `index` of [0.1, 1] in equal parts, counted from the nearer end with one rounding to float32. */
function partEdge(index: number, parts: number): number {
	const start = Math.fround(0.1);
	const step = Math.fround(Math.fround(1 - start) / parts);
	const isNearStart = index < Math.floor((parts + 1) / 2);
	return Math.fround(isNearStart ? start + step * index : 1 - step * (parts - index));
}
