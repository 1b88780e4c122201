// The few wire types of protocol buffers that ONNX needs: varints, 32-bit floats, and texts and messages behind their length.

/** A field of a whole number; a negative one takes ten bytes. */
export function varintField(field: number, value: number): Uint8Array {
	return joined(varint(field * 8), varint(value));
}

export function floatField(field: number, value: number): Uint8Array {
	const bytes = Buffer.alloc(4);
	bytes.writeFloatLE(value);
	return joined(varint(field * 8 + 5), bytes);
}

export function textField(field: number, value: string): Uint8Array {
	return messageField(field, Buffer.from(value));
}

/** A message inside another, or bytes. */
export function messageField(field: number, bytes: Uint8Array): Uint8Array {
	return joined(prefixOf(field, bytes.length), bytes);
}

/** What stands before a message of a length. */
export function prefixOf(field: number, length: number): Uint8Array {
	return joined(varint(field * 8 + 2), varint(length));
}

/** The bytes that a message of a length takes with what stands before it. */
export function lengthOf(field: number, length: number): number {
	return prefixOf(field, length).length + length;
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
	return Buffer.concat(parts);
}

function varint(value: number): Uint8Array {
	const bytes: number[] = [];
	let rest = BigInt.asUintN(64, BigInt(value));
	while (rest >= 0x80n) {
		bytes.push(Number(rest & 0x7fn) | 0x80);
		rest >>= 7n;
	}
	bytes.push(Number(rest));
	return Uint8Array.from(bytes);
}
