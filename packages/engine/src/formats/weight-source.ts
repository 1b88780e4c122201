import { toFloat32 } from './floats.ts';
import type { SafetensorsDtype } from './safetensors/dtypes.ts';

export interface WeightInfo {
	readonly dtype: SafetensorsDtype;
	readonly shape: readonly number[];
	readonly byteLength: number;
	/** How the file has the tensor, where it has codes and `dtype` is what they are read as. */
	readonly stored?: { readonly type: string; readonly byteLength: number };
}

/** The tensors of a checkpoint by name, whatever files they lie in; one is read when it is asked for. */
export interface WeightSource {
	/** For messages: the folder or file. */
	readonly place: string;
	readonly names: readonly string[];
	/** undefined where there is no such tensor. */
	info(name: string): WeightInfo | undefined;
	/** The tensor's bytes (little-endian, row-major) in a buffer of their own; throws where there is none. */
	read(name: string): Uint8Array<ArrayBuffer>;
	/** `byteLength` of the tensor's bytes from `byteOffset` on; throws where there is none or it is shorter. */
	readPart(name: string, byteOffset: number, byteLength: number): Uint8Array<ArrayBuffer>;
	/**
	 * Fills `target`, as long as the tensor, with its bytes, while the thread goes on; missing where tensors are not read but made,
	 * out of a file's blocks or codes.
	 */
	readonly readInto?: ((name: string, target: Uint8Array) => Promise<void>) | undefined;
	close(): void;
}

/** A floating-point tensor of the source as float32 values; throws `DTYPE_NOT_FLOAT` for any other. */
export function readFloat32(source: WeightSource, name: string): Float32Array<ArrayBuffer> {
	const bytes = source.read(name);
	return toFloat32(bytes, source.info(name)!.dtype);
}
