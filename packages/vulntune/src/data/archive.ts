import { createReadStream } from 'node:fs';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { fileError } from '@vulntune/engine/formats/file-errors.ts';
import { Parser, type ReadEntry } from 'tar';

export interface ArchiveLimits {
	/** Bytes kept of all wanted files together. */
	readonly maxBytes?: number;
	/** Entries of any kind. */
	readonly maxEntries?: number;
	/** Decompressed over compressed bytes. */
	readonly maxRatio?: number;
}

/**
 * Files of a `.tar.gz` by base name, read into memory; nothing is ever written to disk.
 *
 * The archive is hostile until shown otherwise: it is refused where it holds a path that leaves the archive, anything
 * but regular files and folders, two entries that differ in letter case alone, a wanted name twice, more than the
 * limits allow, or damage.
 *
 * @param wanted base names; a file counts in whatever folder of the archive it lies
 * @throws VulntuneError ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, ARCHIVE_DAMAGED
 */
export async function readArchive(
	file: string,
	wanted: readonly string[],
	limits: ArchiveLimits = {},
): Promise<Map<string, Buffer>> {
	const { maxBytes = 2 ** 30, maxEntries = 100_000, maxRatio = 1000 } = limits;
	const parts = new Map<string, Buffer[]>();
	const seen = new Set<string>();
	let kept = 0;
	let entries = 0;
	let failure: VulntuneError | undefined;
	const fail = (error: VulntuneError) => {
		failure ??= error;
	};

	const parser = new Parser({ strict: true, maxDecompressionRatio: maxRatio });
	parser.on('entry', (entry: ReadEntry) => {
		takeEntry(entry);
		entry.resume();
	});
	const finished = new Promise<void>((resolve) => {
		parser.on('end', resolve);
		parser.on('error', (error: Error) => {
			fail(archiveError(file, error));
			resolve();
		});
	});

	try {
		// Small pieces: one piece decompresses in one go, up to a thousandfold.
		for await (const piece of createReadStream(file, { highWaterMark: 16 * 1024 })) {
			parser.write(piece);
			if (failure !== undefined) throw failure;
		}
		parser.end();
		await finished;
	} catch (error) {
		throw failure ?? archiveError(file, error as Error);
	}
	if (failure !== undefined) throw failure;
	return new Map([...parts].map(([name, pieces]) => [name, Buffer.concat(pieces)]));

	function takeEntry(entry: ReadEntry): void {
		const unsafe = entryFault(entry, seen);
		if (unsafe !== undefined) {
			fail(
				inputError('ARCHIVE_UNSAFE', `the archive holds ${unsafe}`, {
					place: file,
					remedy: 'Pack the folder anew with regular files only: tar -czf data.tar.gz train.jsonl …',
				}),
			);
			return;
		}
		entries += 1;
		if (entries > maxEntries) {
			fail(tooLarge(file, `more than ${maxEntries} entries`));
			return;
		}
		const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
		if (entry.type === 'Directory' || !wanted.includes(name)) return;
		if (parts.has(name)) {
			fail(
				inputError('ARCHIVE_UNSAFE', `the archive holds ${name} more than once`, {
					place: file,
					remedy: 'Pack the folder anew, each file once: tar -czf data.tar.gz train.jsonl …',
				}),
			);
			return;
		}
		const pieces: Buffer[] = [];
		parts.set(name, pieces);
		entry.on('data', (piece: Buffer) => {
			kept += piece.length;
			if (kept > maxBytes) fail(tooLarge(file, `more than ${maxBytes} bytes of rows`));
			else pieces.push(piece);
		});
	}
}

const regularTypes = ['File', 'OldFile', 'ContiguousFile', 'Directory'];

function entryFault(entry: ReadEntry, seen: Set<string>): string | undefined {
	const name = JSON.stringify(entry.path.slice(0, 100));
	if (!regularTypes.includes(entry.type)) return `${name}, a ${entry.type}`;
	const isAbsolute = /^([/\\]|[a-z]:)/i.test(entry.path);
	if (isAbsolute || entry.path.split(/[/\\]/).includes('..')) return `${name}, a path outside of it`;
	if (entry.path.includes('\0')) return `${name}, a path with a NUL character`;
	if (entry.type === 'Directory') return undefined;
	const key = entry.path.toLowerCase();
	if (seen.has(key)) return `${name} twice (letter case aside)`;
	seen.add(key);
	return undefined;
}

function tooLarge(file: string, what: string): VulntuneError {
	return inputError('ARCHIVE_TOO_LARGE', `the archive holds ${what}`, {
		place: file,
		remedy: 'Unpack it and give the folder instead.',
	});
}

function archiveError(file: string, error: Error): VulntuneError {
	const ofFileSystem = fileError(error, file, 'read');
	if (ofFileSystem instanceof VulntuneError) return ofFileSystem;
	if (error.message.includes('decompression ratio')) {
		return tooLarge(file, `data compressed beyond any real dataset (${error.message})`);
	}
	return inputError('ARCHIVE_DAMAGED', `not a whole .tar.gz: ${error.message}`, {
		place: file,
		remedy: 'Get or make the archive again.',
		cause: error,
	});
}
