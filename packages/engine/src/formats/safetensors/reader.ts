import { closeSync } from 'node:fs';
import { inputError, VulntuneError } from '../../errors.ts';
import { openForReading, readBytes, readBytesInto } from '../files.ts';
import { quoteName } from '../json.ts';
import {
	headerLength,
	lengthFieldBytes,
	parseHeader,
	type SafetensorsHeader,
	type SafetensorsTensor,
	truncatedError,
} from './header.ts';

/** An open file: its header is in memory, its tensors are not. */
export interface SafetensorsFile extends SafetensorsHeader {
	readonly path: string;
	/**
	 * The bytes of one tensor (little-endian, row-major) in a buffer of their own, read from the disk at every
	 * call, so that no more than the tensors in use are ever in memory.
	 */
	read(name: string): Uint8Array<ArrayBuffer>;
	/** A part of a tensor's bytes; throws a RangeError where it reaches beyond the tensor. */
	readPart(name: string, byteOffset: number, byteLength: number): Uint8Array<ArrayBuffer>;
	/** The bytes of one tensor into memory of their length, while the thread goes on. */
	readInto(name: string, target: Uint8Array): Promise<void>;
	/** May be called more than once; `read` throws afterwards. */
	close(): void;
}

/**
 * Opens a safetensors file: reads and checks the header only. Throws `SAFETENSORS_TRUNCATED`,
 * `SAFETENSORS_HEADER`, `SAFETENSORS_TENSOR`, `SAFETENSORS_LAYOUT`, or why the file cannot be read.
 *
 *     const file = openSafetensors('model.safetensors');
 *     const bytes = file.read('lm_head.weight');
 *     file.close();
 */
export function openSafetensors(path: string): SafetensorsFile {
	const { descriptor, bytes: fileBytes } = openForReading(path);
	let header: SafetensorsHeader;
	try {
		header = readHeader(descriptor, fileBytes, path);
	} catch (error) {
		closeSync(descriptor);
		throw error;
	}
	let isOpen = true;
	const find = (name: string): SafetensorsTensor => {
		const tensor = header.tensors.get(name);
		if (tensor === undefined) {
			throw inputError('SAFETENSORS_NAME', `there is no tensor ${quoteName(name)}`, { place: path });
		}
		if (!isOpen) {
			throw new VulntuneError({
				code: 'SAFETENSORS_CLOSED',
				kind: 'runtime',
				message: `tensor ${quoteName(name)} was asked for after the file had been closed`,
				place: path,
			});
		}
		return tensor;
	};
	return {
		path,
		...header,
		read(name) {
			const tensor = find(name);
			return readBytes(descriptor, tensor.byteOffset, tensor.byteLength, path);
		},
		readPart(name, byteOffset, byteLength) {
			const tensor = find(name);
			if (byteOffset < 0 || byteLength < 0 || byteOffset + byteLength > tensor.byteLength) {
				throw new RangeError(
					`bytes ${byteOffset} to ${byteOffset + byteLength} are not in ${quoteName(name)}`,
				);
			}
			return readBytes(descriptor, tensor.byteOffset + byteOffset, byteLength, path);
		},
		async readInto(name, target) {
			const { byteOffset, byteLength } = find(name);
			if (target.length !== byteLength) {
				throw new RangeError(`${quoteName(name)} has ${byteLength} bytes, but the memory ${target.length}`);
			}
			await readBytesInto(target, descriptor, byteOffset, path);
		},
		close() {
			if (isOpen) closeSync(descriptor);
			isOpen = false;
		},
	};
}

function readHeader(descriptor: number, fileBytes: number, path: string): SafetensorsHeader {
	if (fileBytes < lengthFieldBytes) {
		throw truncatedError(`at least ${lengthFieldBytes} bytes are expected, found ${fileBytes}`, path);
	}
	const length = headerLength(readBytes(descriptor, 0, lengthFieldBytes, path), fileBytes, path);
	const header = readBytes(descriptor, lengthFieldBytes, length, path);
	return parseHeader(header, fileBytes - lengthFieldBytes - length, path);
}
