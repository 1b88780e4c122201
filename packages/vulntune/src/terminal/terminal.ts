import type { Writable } from 'node:stream';
import { exitCodes } from './exit-code.ts';

/** Where a command writes: results to stdout, everything else to stderr. */
export interface Terminal {
	readonly stdout: (text: string) => void;
	readonly stderr: (text: string) => void;
	/** Whether stderr is a terminal on which a line can be drawn again. */
	readonly isInteractive: boolean;
	readonly columns: number;
}

/**
 * The terminal of this process. Output that can't be written never ends a command: where the reader is gone (`vulntune … | head`, a
 * terminal that was closed) the rest is dropped. A result that its file has no room for is a failure of the process, though not
 * of the command.
 */
export function processTerminal(): Terminal {
	const stderr = writer(process.stderr);
	const stdout = writer(process.stdout, (error) => {
		if (isReaderGone(error)) return;
		stderr(`error: the result can't be written to stdout: ${error.message}\n`);
		process.exitCode ||= exitCodes.resources;
	});
	return {
		stdout,
		stderr,
		isInteractive: process.stderr.isTTY === true && process.env.TERM !== 'dumb',
		columns: process.stderr.columns ?? 80,
	};
}

/**
 * Text with every control character spelled out, save tab and line feed: what a dataset or a file name holds must not steer the
 * terminal that it is shown on.
 */
export function printable(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
	return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
		return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
	});
}

/**
 * Writes to a stream until it fails once; what comes after that is dropped.
 *
 * @param failed hears of the failure
 */
export function writer(
	stream: Writable,
	failed: (error: NodeJS.ErrnoException) => void = () => {},
): (text: string) => void {
	let isBroken = false;
	stream.on('error', (error) => {
		if (isBroken) return;
		isBroken = true;
		failed(error);
	});
	return (text) => {
		if (!isBroken) stream.write(text);
	};
}

/** EIO is what a terminal answers that was closed. */
function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
	return code === 'EPIPE' || code === 'EIO' || code === 'ECONNRESET';
}
