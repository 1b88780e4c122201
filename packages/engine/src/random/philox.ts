/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3" (SC 2011). A random word is a pure function of (key, counter), so a tensor's numbers depend neither
 * on the order in which they are drawn nor on how many threads draw them, and a resumed run needs no state.
 * Only integer arithmetic: the same bits on every machine.
 */

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const rounds = 10;

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers, as a signed integer. */
function multiplyHigh(a: number, b: number): number {
	const aLow = a & 0xffff;
	const aHigh = a >>> 16;
	const bLow = b & 0xffff;
	const bHigh = b >>> 16;
	// Every sum below stays under 2^53, so float64 holds it exactly.
	const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
	const carry = aLow * bHigh + (middle % 65536);
	return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) | 0;
}

/** Writes the four words of one counter to `out` (at least 4 long) without allocating; see `philox`. */
export function philoxInto(
	out: Uint32Array,
	counter0: number,
	counter1: number,
	counter2: number,
	counter3: number,
	key0: number,
	key1: number,
): void {
	let c0 = counter0 | 0;
	let c1 = counter1 | 0;
	let c2 = counter2 | 0;
	let c3 = counter3 | 0;
	let k0 = key0 | 0;
	let k1 = key1 | 0;
	for (let round = 0; round < rounds; round++) {
		const high0 = multiplyHigh(multiplier0, c0);
		const high1 = multiplyHigh(multiplier1, c2);
		const low0 = Math.imul(multiplier0, c0);
		const low1 = Math.imul(multiplier1, c2);
		c0 = high1 ^ c1 ^ k0;
		c1 = low1;
		c2 = high0 ^ c3 ^ k1;
		c3 = low0;
		k0 = (k0 + weyl0) | 0;
		k1 = (k1 + weyl1) | 0;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/**
 * Four random unsigned 32-bit words for a counter of four words and a key of two.
 *
 * `philox([0, 0, 0, 0], [0, 0])` → `6627e8d5 e169c58d bc57ac4c 9b00dbd8`.
 */
export function philox(
	counter: readonly [number, number, number, number],
	key: readonly [number, number],
): Uint32Array {
	const out = new Uint32Array(4);
	philoxInto(out, counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
	return out;
}
