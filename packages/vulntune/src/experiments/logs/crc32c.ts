/** The table of CRC-32C (Castagnoli), polynomial 0x82f63b78 in reversed bits. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
	let remainder = byte;
	for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
	return remainder >>> 0;
});

/** CRC-32C of bytes, as RFC 3720 has it. */
export function crc32c(bytes: Uint8Array): number {
	let remainder = 0xffffffff;
	for (const byte of bytes) remainder = (remainder >>> 8) ^ table[(remainder ^ byte) & 0xff]!;
	return ~remainder >>> 0;
}

/** As TensorFlow's records hold it, so that the sum of data with sums in it is no sum itself. */
export function maskedCrc32c(bytes: Uint8Array): number {
	const sum = crc32c(bytes);
	return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}
