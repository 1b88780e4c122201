/**
 * The printable character that stands for each byte in a byte-level vocabulary (the alphabet of GPT-2): printable
 * Latin-1 bytes stand for themselves, the other bytes, in order, for the characters from U+0100 on.
 */
export const byteAlphabet: readonly string[] = makeAlphabet();

function makeAlphabet(): string[] {
	let next = 0x100;
	return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
}

function isPrintable(byte: number): boolean {
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}
