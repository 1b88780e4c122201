import { readFloat32, type WeightSource } from '../formats/weight-source.ts';

export interface StoredValues {
	readonly data: Uint16Array | Float32Array;
	readonly dtype: 'bf16' | 'f16' | 'f32';
}

/** A tensor of the source with 16-bit floats as they are and anything else as float32. */
export function readStored(source: WeightSource, name: string): StoredValues {
	const { dtype } = source.info(name)!;
	if (dtype !== 'BF16' && dtype !== 'F16') return { data: readFloat32(source, name), dtype: 'f32' };
	const bytes = source.read(name);
	const data = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
	return { data, dtype: dtype === 'BF16' ? 'bf16' : 'f16' };
}
