// Blocks of 256 elements as ggml lays them out (ggml-common.h: block_q2_K …): 8 or 16 groups, each with a scale of few bits, which a
// half-precision number scales in turn.

/** 16 bytes (scale and minimum of a group in 4 bits each), 64 bytes of 2-bit codes, d, dmin: d · scale · code - dmin · minimum. */
export function dequantizeQ2K(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at + 80, true);
	const minimum = view.getFloat16(at + 82, true);
	for (let group = 0; group < 16; group++) {
		const packed = view.getUint8(at + group);
		const [multiplier, offset] = [scale * (packed & 15), minimum * (packed >> 4)];
		// a half of 128 elements has 32 bytes, whose bits 0-1, 2-3, 4-5, 6-7 are four runs of 32 elements
		const [half, run, side] = [group >> 3, (group >> 1) & 3, group & 1];
		for (let i = 0; i < 16; i++) {
			const code = (view.getUint8(at + 16 + 32 * half + 16 * side + i) >> (2 * run)) & 3;
			target[to + 16 * group + i] = multiplier * code - offset;
		}
	}
}

/** 32 bytes of third bits, 64 bytes of the lower two, 12 bytes of 16 scales in 6 bits, d: d · (scale - 32) · (code - 4). */
export function dequantizeQ3K(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at + 108, true);
	for (let group = 0; group < 16; group++) {
		const low = (view.getUint8(at + 96 + (group & 7)) >> (group < 8 ? 0 : 4)) & 15;
		const high = (view.getUint8(at + 104 + (group & 3)) >> (2 * (group >> 2))) & 3;
		const multiplier = scale * ((low | (high << 4)) - 32);
		const [half, run, side] = [group >> 3, (group >> 1) & 3, group & 1];
		for (let i = 0; i < 16; i++) {
			const two = (view.getUint8(at + 32 + 32 * half + 16 * side + i) >> (2 * run)) & 3;
			const third = (view.getUint8(at + 16 * side + i) >> (4 * half + run)) & 1;
			target[to + 16 * group + i] = multiplier * (two - (third === 1 ? 0 : 4));
		}
	}
}

/** d, dmin, 12 bytes (scales and minima of 8 groups in 6 bits each), 128 bytes of 4-bit codes: d · scale · code - dmin · minimum. */
export function dequantizeQ4K(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	const minimum = view.getFloat16(at + 2, true);
	for (let group = 0; group < 8; group++) {
		const multiplier = scale * scaleOf(view, at + 4, group);
		const offset = minimum * minimumOf(view, at + 4, group);
		const shift = 4 * (group & 1);
		for (let i = 0; i < 32; i++) {
			const code = (view.getUint8(at + 16 + 32 * (group >> 1) + i) >> shift) & 15;
			target[to + 32 * group + i] = multiplier * code - offset;
		}
	}
}

/** As Q4_K, with 32 bytes of fifth bits before the codes. */
export function dequantizeQ5K(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at, true);
	const minimum = view.getFloat16(at + 2, true);
	for (let group = 0; group < 8; group++) {
		const multiplier = scale * scaleOf(view, at + 4, group);
		const offset = minimum * minimumOf(view, at + 4, group);
		const shift = 4 * (group & 1);
		for (let i = 0; i < 32; i++) {
			const low = (view.getUint8(at + 48 + 32 * (group >> 1) + i) >> shift) & 15;
			const high = (view.getUint8(at + 16 + i) >> group) & 1;
			target[to + 32 * group + i] = multiplier * (low | (high << 4)) - offset;
		}
	}
}

/** 128 bytes of the lower four bits, 64 of the upper two, 16 signed scales, d: d · scale · (code - 32). */
export function dequantizeQ6K(view: DataView, at: number, target: Float32Array, to: number): void {
	const scale = view.getFloat16(at + 208, true);
	for (let group = 0; group < 16; group++) {
		const multiplier = scale * view.getInt8(at + 192 + group);
		// a half of 128 elements: four runs of 32; runs 0 and 2, 1 and 3 share the bytes of their lower bits
		const [half, run, side] = [group >> 3, (group >> 1) & 3, group & 1];
		for (let i = 0; i < 16; i++) {
			const column = 16 * side + i;
			const low = (view.getUint8(at + 64 * half + 32 * (run & 1) + column) >> (4 * (run >> 1))) & 15;
			const high = (view.getUint8(at + 128 + 32 * half + column) >> (2 * run)) & 3;
			target[to + 16 * group + i] = multiplier * ((low | (high << 4)) - 32);
		}
	}
}

/** ggml's get_scale_min_k4: groups 0 to 3 have six bits of a byte, groups 4 to 7 four of one and two of another. */
function scaleOf(view: DataView, at: number, group: number): number {
	if (group < 4) return view.getUint8(at + group) & 63;
	return (view.getUint8(at + group + 4) & 15) | ((view.getUint8(at + group - 4) >> 6) << 4);
}

function minimumOf(view: DataView, at: number, group: number): number {
	if (group < 4) return view.getUint8(at + group + 4) & 63;
	return (view.getUint8(at + group + 4) >> 4) | ((view.getUint8(at + group) >> 6) << 4);
}
