import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
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
	/** The folder takes no more: states that were not used for longest go first. */
	readonly bytes?: number;
	/** New states after which they are written, so that a process that is killed loses few. */
	readonly flushEvery?: number;
}

const digestBytes = 32;

/**
 * States on the disk, under a key that names everything they depend on besides the tokens. Every process writes files of its own, each
 * with a hash of its content: those that aren't whole are not read, and processes don't disturb each other. A folder that can't be
 * written costs only the time of the next run.
 *
 * Layout of a file: SHA-256 of the rest, then a record for each state, SHA-256 of the tokens and its float32 in little-endian order.
 *
 * @param size values of a state
 */
export function openStateCache(
	root: string,
	key: string,
	size: number,
	{ bytesPerKey = 2 ** 29, bytes = 2 ** 31, flushEvery = 256 }: StateCacheLimits = {},
): StateCache {
	const folder = path.join(root, createHash('sha256').update(key).digest('hex'));
	removeOldest(root, folder, bytes);
	const recordBytes = digestBytes + 4 * size;
	const states = readStates(folder, recordBytes);
	let fresh: [digest: Buffer, state: Float32Array][] = [];
	const digest = (tokens: Int32Array) =>
		createHash('sha256')
			.update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
			.digest();

	function flush(): void {
		if (fresh.length === 0) return;
		const body = Buffer.concat(
			fresh.flatMap(([name, state]) => [name, Buffer.from(state.buffer, state.byteOffset, state.byteLength)]),
		);
		fresh = [];
		try {
			makeFolder(folder);
			const content = Buffer.concat([createHash('sha256').update(body).digest(), body]);
			writeFileAtomically(path.join(folder, `${randomUUID()}.states`), (append) => append(content));
		} catch {
			// it saves time and nothing else
		}
	}

	return {
		get: (tokens) => states.get(digest(tokens).toString('base64')),
		put(tokens, state) {
			const name = digest(tokens);
			const text = name.toString('base64');
			if (states.has(text) || (states.size + 1) * recordBytes > bytesPerKey) return;
			const copy = Float32Array.from(state);
			states.set(text, copy);
			fresh.push([name, copy]);
			if (fresh.length >= flushEvery) flush();
		},
		flush,
	};
}

function readStates(folder: string, recordBytes: number): Map<string, Float32Array> {
	const states = new Map<string, Float32Array>();
	try {
		if (!existsSync(folder)) return states;
		// used now, so that others are removed first
		utimesSync(folder, new Date(), new Date());
		for (const name of readdirSync(folder).filter((file) => file.endsWith('.states'))) {
			const content = readFileSync(path.join(folder, name));
			const body = content.subarray(digestBytes);
			const isWhole = createHash('sha256').update(body).digest().equals(content.subarray(0, digestBytes));
			if (!isWhole || body.length % recordBytes !== 0) continue;
			for (let start = 0; start < body.length; start += recordBytes) {
				// a copy, because a Buffer need not start at a multiple of four
				const state = Uint8Array.from(body.subarray(start + digestBytes, start + recordBytes));
				states.set(body.toString('base64', start, start + digestBytes), new Float32Array(state.buffer));
			}
		}
	} catch {
		// what can't be read is computed
	}
	return states;
}

/** Removes the states of other keys, those that were not used for longest first, until the folder has at most `limit` bytes. */
function removeOldest(root: string, own: string, limit: number): void {
	try {
		if (!existsSync(root)) return;
		const keys = readdirSync(root).map((name) => {
			const folder = path.join(root, name);
			const sizes = readdirSync(folder).map((file) => statSync(path.join(folder, file)).size);
			return { folder, used: statSync(folder).mtimeMs, size: sizes.reduce((sum, size) => sum + size, 0) };
		});
		let total = keys.reduce((sum, { size }) => sum + size, 0);
		for (const { folder, size } of keys.sort((a, b) => a.used - b.used)) {
			if (total <= limit) return;
			if (folder === own) continue;
			rmSync(folder, { recursive: true, force: true });
			total -= size;
		}
	} catch {
		// another process may be removing the same
	}
}
