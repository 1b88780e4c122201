/** Bytes that `count` codes of `bits` bits take. */
export function packedBytes(count: number, bits: number): number {
	return Math.ceil((count * bits) / 8);
}

/**
 * Codes of `bits` bits (1 to 8) as one stream of bits, the highest bit of each first: code i lies in the bits i · bits and following, and
 * codes of 4 bits lie as in NF4, the first in the high half of a byte. Bits after the last code are 0.
 *
 * @param codes each below 2^bits
 */
export function packBits(codes: Uint8Array, bits: number): Uint8Array<ArrayBuffer> {
	const packed = new Uint8Array(packedBytes(codes.length, bits));
	for (let index = 0; index < codes.length; index++) {
		const bit = index * bits;
		const byte = Math.floor(bit / 8);
		// two bytes hold any code, wherever in the first it begins
		const pair = codes[index]! << (16 - bits - (bit % 8));
		packed[byte] = packed[byte]! | (pair >> 8);
		if ((pair & 0xff) !== 0) packed[byte + 1] = packed[byte + 1]! | (pair & 0xff);
	}
	return packed;
}

/** The `count` codes of a stream that `packBits` made, one a byte. */
export function unpackBits(packed: Uint8Array, bits: number, count: number): Uint8Array<ArrayBuffer> {
	const codes = new Uint8Array(count);
	const mask = 2 ** bits - 1;
	for (let index = 0; index < count; index++) {
		const bit = index * bits;
		const byte = Math.floor(bit / 8);
		const pair = (packed[byte]! << 8) | (packed[byte + 1] ?? 0);
		codes[index] = (pair >> (16 - bits - (bit % 8))) & mask;
	}
	return codes;
}
