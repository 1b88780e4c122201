import { randomBytes } from 'node:crypto';
import {
	closeSync,
	constants,
	existsSync,
	fstatSync,
	fsyncSync,
	mkdirSync,
	openSync,
	read,
	readFileSync,
	readSync,
	realpathSync,
	renameSync,
	rmSync,
	statSync,
	write,
	writeSync,
} from 'node:fs';
import path from 'node:path';
import { inputError, VulntuneError } from '../errors.ts';
import { fileError } from './file-errors.ts';

/** One system call transfers at most about 2 GiB. */
const maxTransferBytes = 2 ** 30;

export interface OpenFile {
	readonly descriptor: number;
	readonly bytes: number;
}

/** Opens a regular file for reading; throws a `VulntuneError` that says why it cannot be read. */
export function openForReading(file: string): OpenFile {
	let descriptor: number | undefined;
	try {
		// Opening a pipe without this flag would wait for someone to write to it. (Windows has neither.)
		descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
		const status = fstatSync(descriptor);
		if (!status.isFile()) {
			throw inputError('FILE_NOT_REGULAR', `a file is expected, found ${kindOf(status)}`, {
				place: file,
				remedy: 'Give the path of a file.',
			});
		}
		return { descriptor, bytes: status.size };
	} catch (error) {
		if (descriptor !== undefined) closeSync(descriptor);
		throw fileError(error, file, 'read');
	}
}

/**
 * Reads `byteLength` bytes from `byteOffset` of an open file into a buffer of its own (so that views of any
 * element type are aligned). The caller has checked that the file is that long.
 */
export function readBytes(
	descriptor: number,
	byteOffset: number,
	byteLength: number,
	place: string,
): Uint8Array<ArrayBuffer> {
	const bytes = allocate(byteLength, place);
	let done = 0;
	while (done < byteLength) {
		const count = readOnce(descriptor, bytes, done, byteOffset + done, place);
		if (count === 0) throw becameShorter(byteLength, done, place);
		done += count;
	}
	return bytes;
}

function becameShorter(expectedBytes: number, foundBytes: number, place: string): VulntuneError {
	return inputError(
		'FILE_TRUNCATED',
		`${expectedBytes} bytes are expected, the file ends after ${foundBytes}`,
		{
			place,
			remedy: 'The file became shorter while it was being read: copy or download it again.',
		},
	);
}

/** Fills `target` with the bytes of an open file from `byteOffset` on, while the thread goes on. */
export async function readBytesInto(
	target: Uint8Array,
	descriptor: number,
	byteOffset: number,
	place: string,
): Promise<void> {
	let done = 0;
	while (done < target.length) {
		const length = Math.min(maxTransferBytes, target.length - done);
		const count = await transfer((finished) =>
			read(descriptor, target, done, length, byteOffset + done, finished),
		).catch((error: unknown) => {
			throw fileError(error, place, 'read');
		});
		if (count === 0) throw becameShorter(target.length, done, place);
		done += count;
	}
}

/** Writes bytes into an open file from `byteOffset` on, while the thread goes on; throws as the system does. */
export async function writeBytesAt(descriptor: number, bytes: Uint8Array, byteOffset: number): Promise<void> {
	let done = 0;
	while (done < bytes.length) {
		const length = Math.min(maxTransferBytes, bytes.length - done);
		done += await transfer((finished) => write(descriptor, bytes, done, length, byteOffset + done, finished));
	}
}

function transfer(start: (finished: (error: Error | null, count: number) => void) => void): Promise<number> {
	return new Promise((resolve, reject) => {
		start((error, count) => (error === null ? resolve(count) : reject(error)));
	});
}

/** The whole of a small file (a configuration, an index); refuses one above `maxBytes`. */
export function readSmallFile(file: string, maxBytes: number): Uint8Array<ArrayBuffer> {
	const { descriptor, bytes } = openForReading(file);
	try {
		if (bytes > maxBytes) {
			throw inputError('FILE_TOO_LARGE', `at most ${maxBytes} bytes are expected, found ${bytes}`, {
				place: file,
				remedy: 'Check that this is the file you meant.',
			});
		}
		return new Uint8Array(readFileSync(descriptor));
	} catch (error) {
		throw fileError(error, file, 'read');
	} finally {
		closeSync(descriptor);
	}
}

/**
 * Writes a file so that it is there whole or not at all: into a temporary file beside it, flushed to the
 * disk, then renamed. `write` receives a function that appends bytes. On any failure the temporary file is
 * removed and what stood at `file` before is untouched.
 */
export function writeFileAtomically(
	file: string,
	write: (append: (bytes: Uint8Array) => void) => void,
): void {
	const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
	let descriptor: number | undefined;
	try {
		descriptor = openSync(temporary, 'wx');
		const open = descriptor;
		write((bytes) => appendAll(open, bytes));
		fsyncSync(open);
		closeSync(open);
		descriptor = undefined;
		renameSync(temporary, file);
		flushFolder(path.dirname(file));
	} catch (error) {
		if (descriptor !== undefined) closeSync(descriptor);
		rmSync(temporary, { force: true });
		throw fileError(error, file, 'written');
	}
}

/** The same of a text, in UTF-8. */
export function writeTextAtomically(file: string, text: string): void {
	writeFileAtomically(file, (append) => append(new TextEncoder().encode(text)));
}

/** Throws OUTPUT_NOT_FOLDER where something else than a folder stands where an output's folder is to be. */
export function requireFolderOrNothing(folder: string): void {
	if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== false) return;
	throw inputError('OUTPUT_NOT_FOLDER', 'a folder is expected, found something else', {
		place: folder,
		remedy: 'Choose another --output.',
	});
}

/**
 * Makes a folder and those above it that are missing. In place of Node's own `recursive`, which never returns where a file system
 * answers ENOENT to a folder that it won't make (`/proc/x`).
 *
 * @throws VulntuneError FOLDER_REFUSED, FILE_FORBIDDEN, DISK_FULL, …
 */
export function makeFolder(folder: string): void {
	const isFolder = () => statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
	try {
		if (!isFolder()) mkdirSync(folder);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		// another process may have made it meanwhile
		if (code === 'EEXIST' && isFolder()) return;
		const parent = path.dirname(folder);
		if (code === 'ENOENT' && parent !== folder && !existsSync(parent)) {
			makeFolder(parent);
			makeFolder(folder);
			return;
		}
		if (code !== 'ENOENT' && code !== 'EEXIST' && code !== 'ENOTDIR')
			throw fileError(error, folder, 'written');
		const reason = code === 'ENOENT' ? 'the file system makes none here' : 'something else is at this path';
		throw inputError('FOLDER_REFUSED', `the folder can't be made: ${reason} (${code})`, {
			place: folder,
			remedy: 'Choose another folder.',
			cause: error,
		});
	}
}

function kindOf(status: { isDirectory(): boolean }): string {
	return status.isDirectory() ? 'a folder' : 'something else (a device, a pipe or a socket)';
}

function allocate(byteLength: number, place: string): Uint8Array<ArrayBuffer> {
	try {
		return new Uint8Array(byteLength);
	} catch (cause) {
		throw new VulntuneError({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: `${byteLength} bytes of memory could not be allocated`,
			place,
			remedy: 'Close other programs, or use a smaller model.',
			cause,
		});
	}
}

function readOnce(
	descriptor: number,
	target: Uint8Array,
	targetOffset: number,
	fileOffset: number,
	place: string,
): number {
	const count = Math.min(maxTransferBytes, target.length - targetOffset);
	try {
		return readSync(descriptor, target, targetOffset, count, fileOffset);
	} catch (error) {
		throw fileError(error, place, 'read');
	}
}

function appendAll(descriptor: number, bytes: Uint8Array): void {
	let done = 0;
	while (done < bytes.length) {
		done += writeSync(descriptor, bytes, done, Math.min(maxTransferBytes, bytes.length - done));
	}
}

/** A rename survives a power cut only once the folder is flushed too; not every platform can flush one. */
export function flushFolder(folder: string): void {
	let descriptor: number;
	try {
		descriptor = openSync(folder, 'r');
	} catch {
		return;
	}
	try {
		fsyncSync(descriptor);
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? error.code : undefined;
		if (code !== 'EINVAL' && code !== 'EPERM' && code !== 'EBADF' && code !== 'EISDIR') throw error;
	} finally {
		closeSync(descriptor);
	}
}

/** Where a path leads, links followed; of what isn't there yet, where it will lie. */
export function placeOf(location: string): string {
	const absolute = path.resolve(location);
	const parent = path.dirname(absolute);
	if (existsSync(absolute) || parent === absolute) return realpathSync(absolute);
	return path.join(placeOf(parent), path.basename(absolute));
}
