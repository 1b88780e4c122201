import { largestFloat16 } from '../floats.ts';

/** The types in which matrices are written, and ggml's numbers and sizes of them. */
export const writtenTypes = {
	f32: { number: 0, blockElements: 1, blockBytes: 4 },
	f16: { number: 1, blockElements: 1, blockBytes: 2 },
	q4_0: { number: 2, blockElements: 32, blockBytes: 18 },
	q8_0: { number: 8, blockElements: 32, blockBytes: 34 },
} as const;
export type WrittenType = keyof typeof writtenTypes;

/** The largest magnitudes that they hold: blocks have scales in F16 of which codes are up to 127 times, or 8. */
export const largestWritten: Readonly<Record<WrittenType, number>> = {
	f32: Number.MAX_VALUE,
	f16: largestFloat16,
	q4_0: 8 * largestFloat16,
	q8_0: 127 * largestFloat16,
};

/**
 * float32 values as ggml lays them out in a type, in blocks of 32 for Q8_0 and Q4_0 (`quantize_row_q8_0_ref`, `quantize_row_q4_0_ref`):
 * the bytes of llama.cpp's reference.
 */
export function encodeGgml(values: Float32Array, type: WrittenType): Uint8Array {
	switch (type) {
		case 'f32':
			return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
		case 'f16':
			return new Uint8Array(new Float16Array(values).buffer);
		case 'q8_0':
			return inBlocks(values, type, quantizeQ80);
		case 'q4_0':
			return inBlocks(values, type, quantizeQ40);
	}
}

function inBlocks(
	values: Float32Array,
	type: 'q8_0' | 'q4_0',
	quantize: (values: Float32Array, from: number, view: DataView, at: number) => void,
): Uint8Array {
	const { blockBytes, blockElements } = writtenTypes[type];
	const bytes = new Uint8Array((values.length / blockElements) * blockBytes);
	const view = new DataView(bytes.buffer);
	for (let block = 0; block * blockElements < values.length; block++) {
		quantize(values, block * blockElements, view, block * blockBytes);
	}
	return bytes;
}

/** d = max |x| / 127 in float16, 32 signed bytes: x / d, halves away from zero. */
function quantizeQ80(values: Float32Array, from: number, view: DataView, at: number): void {
	let largest = 0;
	for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[from + i]!));
	const scale = Math.fround(largest / 127);
	const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
	view.setFloat16(at, scale, true);
	for (let i = 0; i < 32; i++) {
		const scaled = Math.fround(values[from + i]! * inverse);
		const rounded = Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
		view.setInt8(at + 2 + i, rounded);
	}
}

/** d = the value of largest magnitude / −8 in float16, 16 bytes of codes x / d + 8, the low halves being elements 0 to 15. */
function quantizeQ40(values: Float32Array, from: number, view: DataView, at: number): void {
	let extreme = 0;
	for (let i = 0; i < 32; i++) {
		if (Math.abs(values[from + i]!) > Math.abs(extreme)) extreme = values[from + i]!;
	}
	const scale = Math.fround(extreme / -8);
	const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
	view.setFloat16(at, scale, true);
	// the product and the sum are rounded once, as by a fused multiply-add
	const code = (i: number) => Math.min(15, Math.trunc(Math.fround(values[from + i]! * inverse + 8.5)));
	for (let i = 0; i < 16; i++) view.setUint8(at + 2 + i, code(i) | (code(16 + i) << 4));
}
