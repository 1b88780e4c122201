import { closeSync, existsSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import path from 'node:path';
import { fileError, inputError } from '@vulntune/engine';
import { isPredictionLine } from './predictions.ts';

/** More than any line of predictions has. */
const maxLineBytes = 2 ** 16;

/**
 * Scoring can take hours: what would keep its predictions from being written, or lose something else by it, is found before. They
 * replace earlier predictions and empty files alone: never what a run, its base or its dataset is made of.
 *
 * @throws VulntuneError OUTPUT_NOT_FILE, OUTPUT_TAKEN
 */
export function checkPredictionsOutput(file: string): void {
	const status = lstatSync(file, { throwIfNoEntry: false });
	const fault = existsSync(path.dirname(path.resolve(file))) ? faultOf(status) : 'its folder is not there';
	if (fault !== undefined) {
		throw inputError('OUTPUT_NOT_FILE', fault, {
			place: file,
			remedy: 'Give --output the path of a file in a folder that is there.',
		});
	}
	if (status === undefined || status.size === 0 || isPredictionLine(firstLine(file))) return;
	throw inputError(
		'OUTPUT_TAKEN',
		'this file holds something else than predictions, which would replace it',
		{
			place: file,
			remedy: 'Choose another --output, or remove the file.',
		},
	);
}

function faultOf(status: Stats | undefined): string | undefined {
	if (status === undefined || status.isFile()) return undefined;
	if (status.isDirectory()) return 'this is a folder';
	return status.isSymbolicLink() ? 'this is a symbolic link' : 'this is a device, a pipe or a socket';
}

function firstLine(file: string): string {
	try {
		const descriptor = openSync(file, 'r');
		try {
			const bytes = Buffer.alloc(maxLineBytes);
			const count = readSync(descriptor, bytes);
			return bytes.toString('utf8', 0, count).split('\n', 1)[0]!;
		} finally {
			closeSync(descriptor);
		}
	} catch (error) {
		throw fileError(error, file, 'read');
	}
}
