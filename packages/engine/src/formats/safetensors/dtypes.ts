/** Bytes of one element, by the format's name of the type. A map, so that `constructor` is no type. */
const elementBytes: ReadonlyMap<string, number> = new Map([
	['BOOL', 1],
	['U8', 1],
	['I8', 1],
	['F8_E5M2', 1],
	['F8_E4M3', 1],
	['F8_E5M2FNUZ', 1],
	['F8_E4M3FNUZ', 1],
	['F8_E8M0', 1],
	['I16', 2],
	['U16', 2],
	['F16', 2],
	['BF16', 2],
	['I32', 4],
	['U32', 4],
	['F32', 4],
	['C64', 8],
	['F64', 8],
	['I64', 8],
	['U64', 8],
]);

/** An element type of the format; the 8-bit floats and C64 can be read and written as bytes only. */
export type SafetensorsDtype =
	| 'BOOL'
	| 'U8'
	| 'I8'
	| 'F8_E5M2'
	| 'F8_E4M3'
	| 'F8_E5M2FNUZ'
	| 'F8_E4M3FNUZ'
	| 'F8_E8M0'
	| 'I16'
	| 'U16'
	| 'F16'
	| 'BF16'
	| 'I32'
	| 'U32'
	| 'F32'
	| 'C64'
	| 'F64'
	| 'I64'
	| 'U64';

export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
	return typeof name === 'string' && elementBytes.has(name);
}

export function bytesPerElement(dtype: SafetensorsDtype): number {
	return elementBytes.get(dtype)!;
}

/**
 * The number of elements of a shape whose dimensions are safe integers >= 0; undefined above 2^53 - 1.
 * A shape without dimensions is a scalar: one element.
 */
export function elementCount(shape: readonly number[]): number | undefined {
	if (shape.includes(0)) return 0;
	let count = 1;
	for (const dimension of shape) {
		count *= dimension;
		if (!Number.isSafeInteger(count)) return undefined;
	}
	return count;
}
