import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { fileError, inputError } from '@vulntune/engine';

/** A file of one JSON object a line that is only ever appended to. */
export interface JsonlLog {
	append(record: object): void;
	/** Forces what was appended to the disk and tells the file's length in bytes. */
	flush(): number;
	close(): void;
}

/**
 * Opens a log and cuts it to `bytes`: what a run wrote after its last checkpoint is written again when it goes on
 * from there.
 *
 * Throws RUN_DAMAGED where the log is shorter: what is missing can't be written again.
 */
export function openJsonlLog(file: string, bytes: number): JsonlLog {
	let descriptor: number;
	try {
		refuseShorter(file, bytes);
		descriptor = openSync(file, existsSync(file) ? 'r+' : 'w+');
		ftruncateSync(descriptor, bytes);
	} catch (error) {
		throw fileError(error, file, 'written');
	}
	let length = bytes;
	const guarded = <Result>(action: () => Result): Result => {
		try {
			return action();
		} catch (error) {
			throw fileError(error, file, 'written');
		}
	};
	return {
		append(record) {
			const line = Buffer.from(`${JSON.stringify(record)}\n`);
			guarded(() => {
				for (let done = 0; done < line.length; ) {
					done += writeSync(descriptor, line, done, line.length - done, length + done);
				}
			});
			length += line.length;
		},
		flush() {
			guarded(() => fsyncSync(descriptor));
			return length;
		},
		close: () => closeSync(descriptor),
	};
}

function refuseShorter(file: string, bytes: number): void {
	const found = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
	if (found >= bytes) return;
	throw inputError('RUN_DAMAGED', `the checkpoint goes on after ${bytes} bytes of this log, found ${found}`, {
		place: file,
		remedy: 'Put the whole file back, or start the run anew with --overwrite.',
	});
}
