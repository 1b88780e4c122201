import type { Writable } from 'node:stream';

/** Where a command writes: results to stdout, everything else to stderr. */
export interface Terminal {
	readonly stdout: (text: string) => void;
	readonly stderr: (text: string) => void;
	/** Whether stderr is a terminal on which a line can be drawn again. */
	readonly isInteractive: boolean;
	readonly columns: number;
}

/** The terminal of this process. A reader that goes away (`vulntune … | head`) ends it without a word. */
export function processTerminal(): Terminal {
	return {
		stdout: writer(process.stdout),
		stderr: writer(process.stderr),
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

function writer(stream: Writable): (text: string) => void {
	stream.on('error', (error: NodeJS.ErrnoException) => {
		if (error.code === 'EPIPE') process.exit(0);
		throw error;
	});
	return (text) => void stream.write(text);
}
