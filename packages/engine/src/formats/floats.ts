import { VulntuneError } from '../errors.ts';
import type { SafetensorsDtype } from './safetensors/dtypes.ts';

/** bfloat16 bits to float32, exactly. */
export function widenBfloat16(bits: Uint16Array, target = new Float32Array(bits.length)): Float32Array {
	const words = new Uint32Array(target.buffer, target.byteOffset, bits.length);
	for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
	return target;
}

/**
 * float32 to bfloat16 bits, rounded to the nearest, ties to even. Beyond the largest bfloat16 lies infinity;
 * a NaN stays one (its sign and upper payload are kept, the quiet bit is set).
 */
export function roundToBfloat16(values: Float32Array, target = new Uint16Array(values.length)): Uint16Array {
	const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
	for (let i = 0; i < words.length; i++) {
		const word = words[i]!;
		const isNotANumber = (word & 0x7fffffff) > 0x7f800000;
		target[i] = isNotANumber ? (word >>> 16) | 0x0040 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
	}
	return target;
}

/** IEEE half-precision bits to float32, exactly. */
export function widenFloat16(bits: Uint16Array, target = new Float32Array(bits.length)): Float32Array {
	const table = float16Values();
	for (let i = 0; i < bits.length; i++) target[i] = table[bits[i]!]!;
	return target;
}

/** The largest half-precision number. */
export const largestFloat16 = 65_504;

/** float32 to IEEE half-precision bits, rounded to the nearest, ties to even; infinity from 65,520 on. */
export function roundToFloat16(values: Float32Array, target = new Uint16Array(values.length)): Uint16Array {
	new Float16Array(target.buffer, target.byteOffset, values.length).set(values);
	return target;
}

/**
 * The values of a tensor as float32 from its bytes as a file holds them: exact for F32, F16 and BF16, rounded
 * for F64. Throws `DTYPE_NOT_FLOAT` for any other type. F32 bytes at an aligned address are not copied.
 */
export function toFloat32(
	bytes: Uint8Array<ArrayBuffer>,
	dtype: SafetensorsDtype,
): Float32Array<ArrayBuffer> {
	const { buffer, byteOffset, byteLength } = alignedTo8(bytes);
	switch (dtype) {
		case 'F32':
			return new Float32Array(buffer, byteOffset, byteLength / 4);
		case 'F64':
			return new Float32Array(new Float64Array(buffer, byteOffset, byteLength / 8));
		case 'F16': {
			const values = new Float32Array(byteLength / 2);
			widenFloat16(new Uint16Array(buffer, byteOffset, byteLength / 2), values);
			return values;
		}
		case 'BF16': {
			const values = new Float32Array(byteLength / 2);
			widenBfloat16(new Uint16Array(buffer, byteOffset, byteLength / 2), values);
			return values;
		}
		default:
			throw new VulntuneError({
				code: 'DTYPE_NOT_FLOAT',
				kind: 'input',
				message: `a tensor of F64, F32, F16 or BF16 is expected, found ${dtype}`,
			});
	}
}

/** A view of another element type needs an aligned address; elements have at most 8 bytes. */
function alignedTo8(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
	return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

let cachedFloat16Values: Float32Array | undefined;

/** Every half-precision number, by its bits: 256 kB, and faster than converting each element. */
function float16Values(): Float32Array {
	if (cachedFloat16Values === undefined) {
		const bits = Uint16Array.from({ length: 0x10000 }, (_, index) => index);
		cachedFloat16Values = new Float32Array(new Float16Array(bits.buffer));
	}
	return cachedFloat16Values;
}
