import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { blockCount, blockSize } from './blockwise.ts';
import type { QuantizedMatrix8 } from './int8.ts';
import { packBits, packedBytes, unpackBits } from './pack-bits.ts';
import { type QuantileMatrix, type QuantileType, quantileBits } from './quantile-matrix.ts';
import {
	entry,
	readExactly,
	readFiniteFloats,
	readQuantState,
	stateEntry,
	storedError,
} from './stored-tensors.ts';

/**
 * A layout of ours, in the spirit of bitsandbytes', for the types that it has none for. An int8 matrix `<name>` of [N, K]:
 *
 * | tensor | type | holds |
 * | --- | --- | --- |
 * | `<name>` | I8 [N, K] | codes, -127 … 127 |
 * | `<name>.scales` | F32 [N] | scale of every row |
 * | `<name>.quant_state.vulntune__int8` | U8 | JSON: quant_type, shape |
 */
export function int8Entries(name: string, matrix: QuantizedMatrix8): SafetensorsEntry[] {
	const { codes, scales, shape, type } = matrix;
	return [
		entry(name, codes, shape),
		entry(`${name}.scales`, scales),
		stateEntry(`${name}.quant_state.vulntune__int8`, { quant_type: type, shape }),
	];
}

/** Throws `QUANTIZED_TENSOR_MISSING`, `QUANTIZED_TENSOR_SIZE`, `QUANTIZED_TENSOR_VALUE`, `QUANT_STATE`. */
export function readInt8(source: WeightSource, name: string): QuantizedMatrix8 {
	const { shape } = readQuantState(source, `${name}.quant_state.vulntune__int8`, 'int8');
	const bytes = readExactly(source, name, 'I8', shape[0] * shape[1]);
	const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (codes.includes(-128)) {
		throw storedError(
			source,
			name,
			'QUANTIZED_TENSOR_VALUE',
			'codes from -127 to 127 are expected, found -128',
		);
	}
	return { type: 'int8', shape, codes, scales: readFiniteFloats(source, `${name}.scales`, shape[0]) };
}

/**
 * A matrix `<name>` of [N, K] in k-bit codes of a quantile codebook (`quantilek`, `normalk`):
 *
 * | tensor | type | holds |
 * | --- | --- | --- |
 * | `<name>` | U8 [ceil(N · K · k / 8), 1] | codes of k bits each, as `packBits` lays them |
 * | `<name>.absmax` | F32 [ceil(N · K / 64)] | absmax of every block |
 * | `<name>.quant_map` | F32 [2^k - 1] or [2^k] | the codebook |
 * | `<name>.quant_state.vulntune__quantilek` | U8 | JSON: quant_type, blocksize, bits, shape |
 */
export function quantileEntries(name: string, matrix: QuantileMatrix): SafetensorsEntry[] {
	const { absmax, codebook, codes, shape, type } = matrix;
	const bits = quantileBits(type);
	const packed = packBits(codes, bits);
	return [
		entry(name, packed, [packed.length, 1]),
		entry(`${name}.absmax`, absmax),
		entry(`${name}.quant_map`, codebook),
		stateEntry(`${name}.quant_state.vulntune__${type}`, {
			quant_type: type,
			blocksize: blockSize,
			bits,
			shape,
		}),
	];
}

/**
 * Reads it back, with the codebook that the file holds. A code beyond the codebook is refused: kernels look codes up unchecked.
 * Files of the first version have no `bits`, a byte a code, and `normalk`'s codebook under the name `quantilek`: they are read as they
 * are.
 * Throws as `readInt8`.
 */
export function readQuantile(source: WeightSource, name: string, type: QuantileType): QuantileMatrix {
	const state = readQuantState(source, `${name}.quant_state.vulntune__${type}`, type);
	const { shape } = state;
	state.oneOf('blocksize', [blockSize]);
	const length = shape[0] * shape[1];
	const bits = quantileBits(type);
	const isPacked = state.has('bits');
	if (isPacked) state.oneOf('bits', [bits]);
	const stored = readExactly(source, name, 'U8', isPacked ? packedBytes(length, bits) : length);
	const codes = isPacked ? unpackBits(stored, bits, length) : stored;
	const isShort = source.info(`${name}.quant_map`)?.byteLength === 4 * (2 ** bits - 1);
	const values = isShort ? 2 ** bits - 1 : 2 ** bits;
	const beyond = codes.findIndex((code) => code >= values);
	if (beyond >= 0) {
		throw storedError(
			source,
			name,
			'QUANTIZED_TENSOR_VALUE',
			`codes below ${values} are expected, but element ${beyond} is ${codes[beyond]}`,
		);
	}
	const codebook = readFiniteFloats(source, `${name}.quant_map`, values);
	const absmax = readFiniteFloats(source, `${name}.absmax`, blockCount(length));
	return { type, shape, blockSize, codes, absmax, codebook };
}
