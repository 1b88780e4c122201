import { closeSync, existsSync, lstatSync, openSync, readSync, rmSync, type Stats } from 'node:fs';
import path from 'node:path';
import { fileError, inputError } from '@vulntune/engine';

/** More than the first line of any file of ours has. */
const startBytes = 2 ** 16;

/**
 * Finds before anything is computed what would keep a file from being written, or lose something else by it: it may replace earlier ones of
 * its kind and empty files alone, never what a run, its base or its dataset is made of.
 *
 * @param flag the option that names the file
 * @param what the kind, in the plural
 * @param isOwn whether a file that begins so is of this kind
 * @throws VulntuneError OUTPUT_NOT_FILE, OUTPUT_TAKEN, FILE_FORBIDDEN
 */
export function checkOutputFile(
	file: string,
	flag: string,
	what: string,
	isOwn: (start: string) => boolean,
): void {
	const status = lstatSync(file, { throwIfNoEntry: false });
	const fault = existsSync(path.dirname(path.resolve(file))) ? faultOf(status) : 'its folder is not there';
	if (fault !== undefined) {
		throw inputError('OUTPUT_NOT_FILE', fault, {
			place: file,
			remedy: `Give ${flag} the path of a file in a folder that is there.`,
		});
	}
	if (status !== undefined && status.size > 0 && !isOwn(startOf(file))) {
		throw inputError('OUTPUT_TAKEN', `this file holds something else than ${what}, which would replace it`, {
			place: file,
			remedy: `Choose another ${flag}, or remove the file.`,
		});
	}
	requireWritableBeside(file);
}

/** What owners, mounts and quotas let be written shows only where something is: an empty file, for a moment. */
function requireWritableBeside(file: string): void {
	const trial = `${file}.${process.pid}.partial`;
	try {
		closeSync(openSync(trial, 'w'));
		rmSync(trial);
	} catch (error) {
		throw fileError(error, file, 'written');
	}
}

function faultOf(status: Stats | undefined): string | undefined {
	if (status === undefined || status.isFile()) return undefined;
	if (status.isDirectory()) return 'this is a folder';
	return status.isSymbolicLink() ? 'this is a symbolic link' : 'this is a device, a pipe or a socket';
}

function startOf(file: string): string {
	try {
		const descriptor = openSync(file, 'r');
		try {
			const bytes = Buffer.alloc(startBytes);
			const count = readSync(descriptor, bytes);
			return bytes.toString('utf8', 0, count);
		} finally {
			closeSync(descriptor);
		}
	} catch (error) {
		throw fileError(error, file, 'read');
	}
}
