import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
	fileError,
	inputError,
	makeFolder,
	writeFileAtomically,
	writeTextAtomically,
} from '@vulntune/engine';
import { flushFolder } from '@vulntune/engine/formats/files.ts';

/** What a checkpoint holds: named files of bytes. */
export type CheckpointFiles = ReadonlyMap<string, Uint8Array>;

export interface LoadedCheckpoint {
	readonly name: string;
	readonly files: Map<string, Buffer>;
}

const MANIFEST = 'manifest.json';
const PARTIAL = '.partial';
/** The newest one and, in case it turns out to be damaged, the one before. */
const KEPT = 2;

/**
 * Writes a checkpoint so that it is there whole or not at all: into a temporary folder with a manifest of SHA-256
 * sums, flushed, then renamed. All but this one and the one before are removed afterwards. Names sort by age.
 *
 * Throws DISK_FULL and its like (kind `resources`); what was there before is untouched then.
 */
export function saveCheckpoint(folder: string, name: string, files: CheckpointFiles): void {
	const target = path.join(folder, nextName(folder, name));
	const temporary = partialOf(target);
	try {
		makeFolder(temporary);
		const sums: Record<string, string> = {};
		for (const [file, bytes] of files) {
			writeFileAtomically(path.join(temporary, file), (append) => append(bytes));
			sums[file] = sha256(bytes);
		}
		const manifest = `${JSON.stringify({ files: sums }, null, '\t')}\n`;
		writeTextAtomically(path.join(temporary, MANIFEST), manifest);
		renameSync(temporary, target);
		flushFolder(folder);
	} catch (error) {
		rmSync(temporary, { recursive: true, force: true });
		throw fileError(error, target, 'written');
	}
	const names = checkpointNames(folder);
	// what sorts after this one was damaged: the run has just come past it from an older one
	const kept = names.slice(0, names.indexOf(path.basename(target)) + 1).slice(-KEPT);
	for (const name of names.filter((name) => !kept.includes(name))) discard(path.join(folder, name));
}

/**
 * The name itself, or with a number that counts up where a state is saved again (as when a run that was resumed is
 * interrupted at once): replacing a checkpoint would leave a moment without it.
 */
function nextName(folder: string, name: string): string {
	const last = checkpointNames(folder).findLast((other) => other === name || other.startsWith(`${name}.`));
	if (last === undefined) return name;
	const count = last === name ? 1 : Number(last.slice(name.length + 1));
	return `${name}.${String(count + 1).padStart(8, '0')}`;
}

/** Removes a checkpoint whose files vanish one after the other: not under a name that could be loaded. */
function discard(checkpoint: string): void {
	const partial = partialOf(checkpoint);
	renameSync(checkpoint, partial);
	rmSync(partial, { recursive: true, force: true });
}

/** Another name for each process that comes to write it. */
function partialOf(checkpoint: string): string {
	return `${checkpoint}-${randomBytes(4).toString('hex')}${PARTIAL}`;
}

/**
 * The newest checkpoint whose files all have the sums of its manifest; undefined where there is none. Damaged
 * ones are passed over and named to `warn`; remains of interrupted writes are ignored.
 */
export function loadNewestCheckpoint(
	folder: string,
	warn: (message: string) => void,
): LoadedCheckpoint | undefined {
	for (const name of checkpointNames(folder).reverse()) {
		try {
			return { name, files: readVerified(path.join(folder, name)) };
		} catch (error) {
			warn(`checkpoint ${name} is passed over: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	return undefined;
}

/** Oldest first. */
function checkpointNames(folder: string): string[] {
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.filter((name) => !name.endsWith(PARTIAL))
		.sort();
}

function readVerified(folder: string): Map<string, Buffer> {
	const manifest: unknown = JSON.parse(readFileSync(path.join(folder, MANIFEST), 'utf8'));
	const sums = manifestSums(manifest, folder);
	const files = new Map<string, Buffer>();
	for (const [file, sum] of Object.entries(sums)) {
		const bytes = readFileSync(path.join(folder, path.basename(file)));
		if (sha256(bytes) !== sum) throw damaged(folder, `${file} does not have the bytes that were written`);
		files.set(file, bytes);
	}
	return files;
}

function manifestSums(manifest: unknown, folder: string): Record<string, string> {
	if (typeof manifest === 'object' && manifest !== null && 'files' in manifest) {
		const { files } = manifest;
		if (typeof files === 'object' && files !== null && Object.keys(files).length > 0) {
			return files as Record<string, string>;
		}
	}
	throw damaged(folder, `${MANIFEST} lists no files`);
}

function damaged(folder: string, message: string): Error {
	return inputError('CHECKPOINT_DAMAGED', message, { place: folder });
}

function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}
