import { toFloat32 } from '../formats/floats.ts';
import type { SafetensorsDtype } from '../formats/safetensors/dtypes.ts';
import type { WeightSource } from '../formats/weight-source.ts';

export interface StoredValues {
	readonly data: Uint16Array | Float32Array;
	readonly dtype: 'bf16' | 'f16' | 'f32';
}

/** A tensor of the source with 16-bit floats as they are and anything else as float32. */
export function readStored(source: WeightSource, name: string): StoredValues {
	return storedValues(source.read(name), source.info(name)!.dtype);
}

/** The same of the bytes of a tensor, which lie where its elements may; throws `DTYPE_NOT_FLOAT` for what is none. */
export function storedValues(bytes: Uint8Array<ArrayBuffer>, dtype: SafetensorsDtype): StoredValues {
	if (dtype !== 'BF16' && dtype !== 'F16') return { data: toFloat32(bytes, dtype), dtype: 'f32' };
	const data = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
	return { data, dtype: dtype === 'BF16' ? 'bf16' : 'f16' };
}
