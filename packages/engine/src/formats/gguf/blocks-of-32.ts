// Blocks of 32 elements as ggml lays them out (ggml-common.h: block_q4_0 …). Codes of 4 bits: the low halves of the 16 bytes are
// elements 0 to 15, the high ones 16 to 31.

/** d, 16 bytes of codes: d · (code - 8). */
export function dequantizeQ40(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	for (let i = 0; i < 16; i++) {
		const codes = view.getUint8(at + 2 + i);
		target[to + i] = scale * ((codes & 15) - 8);
		target[to + 16 + i] = scale * ((codes >> 4) - 8);
	}
}

/** d, m, 16 bytes of codes: d · code + m. */
export function dequantizeQ41(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	const minimum = view.getFloat16(at + 2, true);
	for (let i = 0; i < 16; i++) {
		const codes = view.getUint8(at + 4 + i);
		target[to + i] = scale * (codes & 15) + minimum;
		target[to + 16 + i] = scale * (codes >> 4) + minimum;
	}
}

/** d, the fifth bits of all 32 elements, 16 bytes of the lower four: d · (code - 16). */
export function dequantizeQ50(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	const high = view.getUint32(at + 2, true);
	for (let i = 0; i < 16; i++) {
		const codes = view.getUint8(at + 6 + i);
		target[to + i] = scale * (((codes & 15) | (((high >>> i) & 1) << 4)) - 16);
		target[to + 16 + i] = scale * (((codes >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
	}
}

/** d, m, the fifth bits, 16 bytes of the lower four: d · code + m. */
export function dequantizeQ51(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	const minimum = view.getFloat16(at + 2, true);
	const high = view.getUint32(at + 4, true);
	for (let i = 0; i < 16; i++) {
		const codes = view.getUint8(at + 8 + i);
		target[to + i] = scale * ((codes & 15) | (((high >>> i) & 1) << 4)) + minimum;
		target[to + 16 + i] = scale * ((codes >> 4) | (((high >>> (i + 16)) & 1) << 4)) + minimum;
	}
}

/** d, 32 signed bytes: d · code. */
export function dequantizeQ80(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	for (let i = 0; i < 32; i++) target[to + i] = scale * view.getInt8(at + 2 + i);
}

/** ggml's kvalues_iq4nl: what the codes of IQ4_NL stand for. */
const nonLinear = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113] as const;

/** d, 16 bytes of codes: d · table[code]. */
export function dequantizeIq4Nl(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	for (let i = 0; i < 16; i++) {
		const codes = view.getUint8(at + 2 + i);
		target[to + i] = scale * nonLinear[codes & 15]!;
		target[to + 16 + i] = scale * nonLinear[codes >> 4]!;
	}
}
