import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { makeFolder, writeFileAtomically } from '@vulntune/engine/formats/files.ts';

// A file of states: records, each a header (two hashes and a length, little-endian) and a state.

const digestBytes = 32;
/** Of a record: SHA-256 of the tokens, SHA-256 of that and the state, bytes of the state as uint32. */
export const headerBytes = 2 * digestBytes + 4;

/** The hash of a function's tokens, and its state. */
export type StateRecord = readonly [digest: Buffer, state: Uint8Array];

/** Where a state lies. */
export interface StateOnDisk {
	readonly file: string;
	/** Of the state itself, behind its header. */
	readonly offset: number;
	readonly length: number;
}

/** Writes a file of records, whole or not at all. */
export function writeRecords(file: string, records: readonly StateRecord[]): void {
	makeFolder(path.dirname(file));
	writeFileAtomically(file, (append) => {
		for (const [digest, state] of records) {
			const length = Buffer.alloc(4);
			length.writeUInt32LE(state.length);
			append(Buffer.concat([digest, sha256(digest, state), length, state]));
		}
	});
}

/** The state of a record; undefined where it isn't there or isn't whole. */
export function readRecord({ file, offset, length }: StateOnDisk, digest: Buffer): Uint8Array | undefined {
	try {
		const record = readAt(file, offset - headerBytes, headerBytes + length);
		const state = record.subarray(headerBytes);
		const isWhole = sha256(digest, state).equals(record.subarray(digestBytes, 2 * digestBytes));
		return isWhole ? state : undefined;
	} catch {
		// what can't be read is computed
		return undefined;
	}
}

/** The records of a file whose hash is right; those behind a damaged length are found only where it still leads to them. */
export function soundRecords(file: string): StateRecord[] {
	const records: StateRecord[] = [];
	try {
		const content = readFileSync(file);
		let start = headerBytes;
		while (start <= content.length) {
			const header = content.subarray(start - headerBytes, start);
			const digest = header.subarray(0, digestBytes);
			const end = start + header.readUInt32LE(2 * digestBytes);
			const state = content.subarray(start, end);
			const hash = header.subarray(digestBytes, 2 * digestBytes);
			if (sha256(digest, state).equals(hash)) records.push([digest, state]);
			start = end + headerBytes;
		}
	} catch {
		// what can't be read is computed
	}
	return records;
}

/** Where the states of a file lie, by the hashes of their tokens in base64: from header to header. */
export function recordsOf(file: string): ReadonlyMap<string, StateOnDisk> {
	const records = new Map<string, StateOnDisk>();
	const descriptor = openSync(file, 'r');
	try {
		const { size } = fstatSync(descriptor);
		const header = Buffer.alloc(headerBytes);
		let offset = headerBytes;
		while (offset <= size) {
			readSync(descriptor, header, 0, headerBytes, offset - headerBytes);
			const length = header.readUInt32LE(2 * digestBytes);
			if (offset + length > size) break;
			records.set(header.toString('base64', 0, digestBytes), { file, offset, length });
			offset += length + headerBytes;
		}
	} finally {
		closeSync(descriptor);
	}
	return records;
}

function readAt(file: string, offset: number, length: number): Buffer {
	const descriptor = openSync(file, 'r');
	try {
		const buffer = Buffer.alloc(length);
		const read = readSync(descriptor, buffer, 0, length, offset);
		return buffer.subarray(0, read);
	} finally {
		closeSync(descriptor);
	}
}

/** SHA-256 of parts one after the other. */
export function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part);
	return hash.digest();
}
