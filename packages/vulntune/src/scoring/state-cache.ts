import { createHash, randomUUID } from 'node:crypto';
import {
	closeSync,
	existsSync,
	fstatSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	rmSync,
	statfsSync,
	statSync,
	utimesSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeFolder, writeFileAtomically } from '@vulntune/engine/formats/files.ts';
import type { KeptStates } from '../methods/kept-states.ts';

/** Where states are kept unless a caller says otherwise. */
export function defaultStateCacheFolder(): string {
	return path.join(os.homedir(), '.cache', 'vulntune', 'states');
}

export interface StateCache extends KeptStates {
	/** Writes what isn't on the disk yet. */
	flush(): void;
}

export interface StateCacheLimits {
	/** States of one base and setting take no more; further ones are computed anew each time. */
	readonly bytesPerKey?: number;
	/** The folder takes no more, with room for this key's: states that were not used for longest go first. */
	readonly bytes?: number;
	/** Bytes that the disk has free after any writing: a run needs room for its checkpoints. */
	readonly freeBytes?: number;
	/** Bytes of new states after which they are written, so that they take little memory and a process that is killed loses few. */
	readonly flushBytes?: number;
}

/** Bytes of states that are kept of one base and setting. */
export const keptBytes = 2 ** 30;

const digestBytes = 32;
/** Of a record: SHA-256 of the tokens, SHA-256 of that and the state, bytes of the state as uint32. */
const headerBytes = 2 * digestBytes + 4;

/** The hash of a function's tokens, and its state. */
type StateRecord = readonly [digest: Buffer, state: Uint8Array];

/** A state that isn't written yet, or where it lies. */
type Entry =
	| { readonly state: Uint8Array }
	| { readonly file: string; readonly offset: number; readonly length: number };

/**
 * States on the disk, under a key that names everything they depend on besides the tokens. They are read when they are asked for, and
 * given only where their hash is right. Every process writes files of its own, so that processes don't disturb each other. A folder that
 * can't be written costs only the time of the next run.
 *
 * Layout of a file: records, each a header (two hashes and a length, little-endian) and a state.
 */
export function openStateCache(
	root: string,
	key: string,
	{
		bytesPerKey = keptBytes,
		bytes = 2 ** 32,
		freeBytes = 2 ** 32,
		flushBytes = 2 ** 25,
	}: StateCacheLimits = {},
): StateCache {
	const folder = path.join(root, sha256(key).toString('hex'));
	removeOldest(root, folder, bytes - bytesPerKey);
	const entries = readEntries(folder);
	let taken = 0;
	for (const entry of entries.values()) taken += headerBytes + lengthOf(entry);
	let fresh: StateRecord[] = [];
	let freshBytes = 0;

	function flush(): void {
		const records = fresh;
		// other processes may have written under the same key
		const isRoom =
			records.length > 0 &&
			bytesOf(folder) + freshBytes <= bytesPerKey &&
			hasRoom(root, freshBytes + freeBytes);
		fresh = [];
		freshBytes = 0;
		write(records, isRoom);
	}

	function write(records: readonly StateRecord[], isRoom: boolean): void {
		const file = path.join(folder, `${randomUUID()}.states`);
		let offset = 0;
		try {
			if (isRoom) writeRecords(file, records);
		} catch {
			// it saves time and nothing else
		}
		for (const [digest, { length }] of records) {
			offset += headerBytes;
			// where nothing was written, nothing is found
			entries.set(digest.toString('base64'), { file, offset, length });
			offset += length;
		}
	}

	/** Puts the sound records of a file into another in its place. */
	function mend(file: string): void {
		const sound = soundRecords(file);
		for (const [name, entry] of entries) {
			if (!('file' in entry) || entry.file !== file) continue;
			entries.delete(name);
			taken -= headerBytes + entry.length;
		}
		rmSync(file, { force: true });
		if (sound.length > 0) write(sound, true);
		for (const [, { length }] of sound) taken += headerBytes + length;
	}

	return {
		get(tokens) {
			const digest = digestOf(tokens);
			const name = digest.toString('base64');
			const entry = entries.get(name);
			if (entry === undefined || 'state' in entry) return entry?.state;
			const state = readRecord(entry, digest);
			if (state !== undefined) return state;
			// it is computed, and may then be kept again
			mend(entry.file);
			return undefined;
		},
		put(tokens, state) {
			const digest = digestOf(tokens);
			const name = digest.toString('base64');
			const size = headerBytes + state.length;
			if (entries.has(name) || taken + size > bytesPerKey) return;
			const copy = Uint8Array.from(state);
			entries.set(name, { state: copy });
			fresh.push([digest, copy]);
			taken += size;
			freshBytes += size;
			if (freshBytes >= flushBytes) flush();
		},
		flush,
	};
}

function lengthOf(entry: Entry): number {
	return 'state' in entry ? entry.state.length : entry.length;
}

function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part);
	return hash.digest();
}

function digestOf({ buffer, byteOffset, byteLength }: Int32Array): Buffer {
	return sha256(new Uint8Array(buffer, byteOffset, byteLength));
}

/** Bytes of the files of a folder; 0 where it isn't there. */
function bytesOf(folder: string): number {
	if (!existsSync(folder)) return 0;
	const sizes = readdirSync(folder).map(
		(file) => statSync(path.join(folder, file), { throwIfNoEntry: false })?.size ?? 0,
	);
	return sizes.reduce((sum, size) => sum + size, 0);
}

function hasRoom(root: string, bytes: number): boolean {
	try {
		makeFolder(root);
		const { bavail, bsize } = statfsSync(root);
		return bavail * bsize >= bytes;
	} catch {
		return false;
	}
}

function writeRecords(file: string, records: readonly StateRecord[]): void {
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
function readRecord(
	{ file, offset, length }: Extract<Entry, { file: string }>,
	digest: Buffer,
): Uint8Array | undefined {
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
function soundRecords(file: string): StateRecord[] {
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

/** Where the states of a folder lie. */
function readEntries(folder: string): Map<string, Entry> {
	const entries = new Map<string, Entry>();
	try {
		if (!existsSync(folder)) return entries;
		// used now, so that others are removed first
		utimesSync(folder, new Date(), new Date());
		for (const name of readdirSync(folder).filter((each) => each.endsWith('.states'))) {
			try {
				addEntries(entries, path.join(folder, name));
			} catch {
				// what can't be read is computed, and the others are there
			}
		}
	} catch {
		// another process may be removing the same
	}
	return entries;
}

/** Follows a file from header to header. */
function addEntries(entries: Map<string, Entry>, file: string): void {
	const descriptor = openSync(file, 'r');
	try {
		const { size } = fstatSync(descriptor);
		const header = Buffer.alloc(headerBytes);
		let offset = headerBytes;
		while (offset <= size) {
			readSync(descriptor, header, 0, headerBytes, offset - headerBytes);
			const length = header.readUInt32LE(2 * digestBytes);
			if (offset + length > size) return;
			entries.set(header.toString('base64', 0, digestBytes), { file, offset, length });
			offset += length + headerBytes;
		}
	} finally {
		closeSync(descriptor);
	}
}

/** Removes the states of other keys, those that were not used for longest first, until they have at most `limit` bytes. */
function removeOldest(root: string, own: string, limit: number): void {
	try {
		if (!existsSync(root)) return;
		const keys = readdirSync(root)
			.map((name) => path.join(root, name))
			.filter((folder) => folder !== own)
			.map((folder) => ({ folder, used: statSync(folder).mtimeMs, size: bytesOf(folder) }));
		let total = keys.reduce((sum, { size }) => sum + size, 0);
		for (const { folder, size } of keys.sort((a, b) => a.used - b.used)) {
			if (total <= limit) return;
			rmSync(folder, { recursive: true, force: true });
			total -= size;
		}
	} catch {
		// another process may be removing the same
	}
}
