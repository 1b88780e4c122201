import { closeSync } from 'node:fs';
import { VulntuneError } from '../../errors.ts';
import { openForReading, readBytes } from '../files.ts';
import { quoteName } from '../json.ts';
import { createCursor } from './cursor.ts';
import { dequantizeBlocks } from './dequantize.ts';
import { type GgufHeader, type GgufTensor, readHeader } from './header.ts';

/** An open file: its header is in memory, its tensors are not. */
export interface GgufFile extends GgufHeader {
	readonly path: string;
	/**
	 * Rows `from` up to `to` of a tensor, all dimensions but the last taken together, in a buffer of their own: as they are where the
	 * type is plain, and as float32 values where it has codes.
	 */
	readRows(name: string, from: number, to: number): Uint8Array<ArrayBuffer>;
	/** May be called more than once; `readRows` throws afterwards. */
	close(): void;
}

/**
 * Opens a GGUF file (version 2 or 3, little-endian): reads and checks the header only. Throws `GGUF_FORMAT`, `GGUF_TRUNCATED`,
 * `GGUF_UNSUPPORTED` for tensor types that aren't read, or why the file cannot be read.
 *
 *     const file = openGguf('model-q4_k_m.gguf');
 *     const first = file.readRows('output.weight', 0, 1); // float32 [columns], as bytes
 *     file.close();
 */
export function openGguf(path: string): GgufFile {
	const { descriptor, bytes } = openForReading(path);
	let header: GgufHeader;
	try {
		header = readHeader(createCursor(descriptor, bytes, path));
	} catch (error) {
		closeSync(descriptor);
		throw error;
	}
	let isOpen = true;
	return {
		path,
		...header,
		readRows(name, from, to) {
			if (!isOpen) throw closedError(name, path);
			const { type, byteOffset, byteLength, ...tensor } = header.tensors.get(name)!;
			const rowBytes = byteLength / rowsOf(tensor);
			const stored = readBytes(descriptor, byteOffset + from * rowBytes, (to - from) * rowBytes, path);
			if (type.plain !== undefined) return stored;
			const values = dequantizeBlocks(type, stored);
			return new Uint8Array(values.buffer);
		},
		close() {
			if (isOpen) closeSync(descriptor);
			isOpen = false;
		},
	};
}

/** All dimensions but the last. */
export function rowsOf({ shape }: Pick<GgufTensor, 'shape'>): number {
	return shape.slice(0, -1).reduce((product, size) => product * size, 1);
}

function closedError(name: string, place: string): VulntuneError {
	return new VulntuneError({
		code: 'GGUF_CLOSED',
		kind: 'runtime',
		message: `tensor ${quoteName(name)} was asked for after the file had been closed`,
		place,
	});
}
