import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statfsSync, statSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeFolder } from '@vulntune/engine/formats/files.ts';
import type { KeptStates } from '../methods/kept-states.ts';
import {
	headerBytes,
	readRecord,
	recordsOf,
	type StateOnDisk,
	type StateRecord,
	sha256,
	soundRecords,
	writeRecords,
} from './state-files.ts';

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

/** A state that isn't written yet, or where it lies. */
type Entry = { readonly state: Uint8Array } | StateOnDisk;

/**
 * States on the disk, under a key that names everything they depend on besides the tokens. They are read when they are asked for, and
 * given only where their hash is right. Every process writes files of its own, so that processes don't disturb each other. A folder that
 * can't be written costs only the time of the next run.
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
		try {
			rmSync(file, { force: true });
		} catch {
			// what can't be removed is computed, and would be there twice
			return;
		}
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

/** Where the states of a folder lie. */
function readEntries(folder: string): Map<string, Entry> {
	const entries = new Map<string, Entry>();
	try {
		if (!existsSync(folder)) return entries;
		// used now, so that others are removed first
		utimesSync(folder, new Date(), new Date());
		for (const name of readdirSync(folder).filter((each) => each.endsWith('.states'))) {
			try {
				for (const [digest, entry] of recordsOf(path.join(folder, name))) entries.set(digest, entry);
			} catch {
				// what can't be read is computed, and the others are there
			}
		}
	} catch {
		// another process may be removing the same
	}
	return entries;
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
