import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { fileError } from '@vulntune/engine/formats/file-errors.ts';
import { makeFolder } from '@vulntune/engine/formats/files.ts';
import { ledgerVersion, migrations } from './schema.ts';

/** All runs of a folder and what came of them. */
export interface Ledger {
	/** Where it lies, with the run folders beside it. */
	readonly folder: string;
	readonly database: DatabaseSync;
	close(): void;
}

export const ledgerFile = (folder: string) => path.join(folder, 'ledger.sqlite');

/** Another process holds the ledger for moments only. */
const busyMilliseconds = 60_000;
/** SQLITE_BUSY */
const busyCode = 5;
/** What SQLite's other codes say of a file, as the system does: SQLITE_PERM, READONLY, IOERR, FULL, CANTOPEN. */
const fileCodes: Readonly<Record<number, string>> = {
	3: 'EACCES',
	8: 'EACCES',
	10: 'EIO',
	13: 'ENOSPC',
	14: 'EACCES',
};

/**
 * Opens the ledger of a folder, in the version of this program: one of an older version is taken along.
 *
 * @throws VulntuneError LEDGER_NOT_FOUND unless `create`, LEDGER_NEWER, LEDGER_DAMAGED, LEDGER_BUSY, FILE_FORBIDDEN, DISK_FULL
 * @param options.patience milliseconds to wait for another process
 */
export function openLedger(folder: string, { create = false, patience = busyMilliseconds } = {}): Ledger {
	const file = ledgerFile(folder);
	if (!existsSync(file)) {
		if (!create) {
			throw inputError('LEDGER_NOT_FOUND', 'the folder holds no ledger (ledger.sqlite)', {
				place: folder,
				remedy: 'Give the --output of vulntune experiment run GRID.yaml --output DIR.',
			});
		}
		makeFolder(folder);
	}
	const database = open(file, patience);
	try {
		requireWhole(file, create);
		reading(file, () => {
			database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
			transaction(database, () => migrate(database, file));
		});
		return { folder, database, close: () => database.close() };
	} catch (error) {
		database.close();
		throw error;
	}
}

function open(file: string, timeout: number): DatabaseSync {
	try {
		return new DatabaseSync(file, { timeout });
	} catch (error) {
		// SQLite says that it can't, the system says why
		try {
			closeSync(openSync(file, 'a'));
		} catch (why) {
			throw fileError(why, file, 'written');
		}
		throw ledgerError(error, file);
	}
}

function reading(file: string, read: () => void): void {
	try {
		read();
	} catch (cause) {
		throw ledgerError(cause, file);
	}
}

/** What SQLite says as an error of ours: held by another process, not to be written, no room, or damaged; anything else as it is. */
export function ledgerError(cause: unknown, file: string): unknown {
	const { code, errcode } = cause as NodeJS.ErrnoException & { readonly errcode?: number };
	if (code !== 'ERR_SQLITE_ERROR') return cause;
	// the lower byte is the kind, what is above it says where
	const kind = errcode === undefined ? undefined : errcode & 0xff;
	if (kind === busyCode) {
		return new VulntuneError({
			code: 'LEDGER_BUSY',
			kind: 'runtime',
			message: 'another process holds the ledger and does not let go of it',
			place: file,
			remedy: 'End whatever has ledger.sqlite open for writing, and call the command again.',
			cause,
		});
	}
	const fileCode = kind === undefined ? undefined : fileCodes[kind];
	if (fileCode !== undefined) {
		return fileError(Object.assign(new Error(), { code: fileCode, cause }), file, 'written');
	}
	// corrupt, no database at all, or tables of somebody else's
	return damaged(file, (cause as Error).message, cause);
}

function damaged(file: string, what: string, cause?: unknown): VulntuneError {
	return inputError('LEDGER_DAMAGED', `the ledger is damaged, or no ledger of vulntune: ${what}`, {
		place: file,
		remedy:
			'Put a copy of it back; or keep it under another name, with the ledger.sqlite-wal and -shm beside it, and call vulntune experiment run GRID.yaml --output with this folder again: it makes a new ledger and takes the finished runs of runs/ as they are, which can be read without it (report.html, metrics.jsonl, predictions).',
		cause,
	});
}

/** Bytes of the header of SQLite's files, in which the size of a page stands at 16. */
const headerBytes = 100;

/**
 * Refuses a file that was cut, where SQLite does not: it takes one of a byte for a new database, and the end of a last page that is
 * gone for zeros. One of no bytes is what somebody has who is about to write the first tables.
 */
function requireWhole(file: string, create: boolean): void {
	const { size } = statSync(file);
	if (size === 0 && create) return;
	if (size < headerBytes) throw damaged(file, `it has ${size} bytes`);
	// what was not written to its end is whole in the log beside it
	if (existsSync(`${file}-wal`)) return;
	const header = Buffer.alloc(headerBytes);
	const descriptor = openSync(file, 'r');
	readSync(descriptor, header);
	closeSync(descriptor);
	if (!header.toString('latin1').startsWith('SQLite format 3')) return;
	const stored = header.readUInt16BE(16);
	const pageBytes = stored === 1 ? 2 ** 16 : stored;
	if (size % pageBytes !== 0) throw damaged(file, `its ${size} bytes are no whole pages of ${pageBytes}`);
}

/** There have been few, so a number beyond it is damage. */
const plausibleVersion = 100;

function migrate(database: DatabaseSync, place: string): void {
	const version = Number(database.prepare('PRAGMA user_version').get()!.user_version);
	if (version < 0 || version > plausibleVersion)
		throw damaged(place, `it says that it has version ${version}`);
	if (version > ledgerVersion) {
		throw inputError(
			'LEDGER_NEWER',
			`the ledger has version ${version}, this program reads up to ${ledgerVersion}`,
			{ place, remedy: 'Use the vulntune that wrote it, or a newer one.' },
		);
	}
	for (const step of migrations.slice(version)) database.exec(step);
	if (version < ledgerVersion) database.exec(`PRAGMA user_version = ${ledgerVersion}`);
}

/** All of it or nothing, and nobody else's changes in between. */
export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
	database.exec('BEGIN IMMEDIATE');
	try {
		const result = work();
		database.exec('COMMIT');
		return result;
	} catch (error) {
		// a full disk or a failing one has ended it already
		if (database.isTransaction) database.exec('ROLLBACK');
		throw error;
	}
}
