import { closeSync, existsSync, openSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { fileError, makeFolder } from '@vulntune/engine/formats/files.ts';
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
	return inputError(
		'LEDGER_DAMAGED',
		`the ledger is damaged, or no ledger of vulntune: ${(cause as Error).message}`,
		{
			place: file,
			remedy:
				'Put a copy of it back; or keep it under another name, with the ledger.sqlite-wal and -shm beside it, and call vulntune experiment run GRID.yaml --output with this folder again: it makes a new ledger and takes the finished runs of runs/ as they are, which can be read without it (report.html, metrics.jsonl, predictions).',
			cause,
		},
	);
}

function migrate(database: DatabaseSync, place: string): void {
	const version = Number(database.prepare('PRAGMA user_version').get()!.user_version);
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
