import { existsSync } from 'node:fs';
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
/** SQLITE_FULL */
const fullCode = 13;

/**
 * Opens the ledger of a folder, in the version of this program: one of an older version is taken along.
 *
 * @throws VulntuneError LEDGER_NOT_FOUND unless `create`, LEDGER_NEWER, LEDGER_DAMAGED, LEDGER_BUSY
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
		throw fileError(error, file, 'written');
	}
}

function reading(file: string, read: () => void): void {
	try {
		read();
	} catch (cause) {
		throw ledgerError(cause, file);
	}
}

/** What SQLite says as an error of ours: held by another process, no room, or damaged; anything else as it is. */
export function ledgerError(cause: unknown, file: string): unknown {
	const { code, errcode } = cause as NodeJS.ErrnoException & { readonly errcode?: number };
	if (code !== 'ERR_SQLITE_ERROR') return cause;
	if (errcode === busyCode) {
		return new VulntuneError({
			code: 'LEDGER_BUSY',
			kind: 'runtime',
			message: 'another process holds the ledger and does not let go of it',
			place: file,
			remedy: 'End whatever has ledger.sqlite open for writing, and call the command again.',
			cause,
		});
	}
	if (errcode === fullCode)
		return fileError(Object.assign(new Error(), { code: 'ENOSPC', cause }), file, 'written');
	// corrupt, no database at all, or tables of somebody else's
	return inputError('LEDGER_DAMAGED', `this is no ledger of vulntune: ${(cause as Error).message}`, {
		place: file,
		remedy: 'Move it away: vulntune experiment run makes a new one from the run folders beside it.',
		cause,
	});
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
		database.exec('ROLLBACK');
		throw error;
	}
}
