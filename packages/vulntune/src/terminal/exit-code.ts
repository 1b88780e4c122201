import { type ErrorKind, VulntuneError } from '@vulntune/engine/errors.ts';
import { fileError } from '@vulntune/engine/formats/file-errors.ts';

/** Stable: others script against them. 1 is kept for findings of a scan. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
	input: 2,
	partial: 3,
	runtime: 4,
	resources: 5,
	interrupted: 130,
};

const memoryCodes = ['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED', 'ERR_WORKER_OUT_OF_MEMORY'];

/**
 * Any thrown value as the error a user reads: what the file system and the memory allocator report gets a place and an exit
 * code; what nobody foresaw is one line, code UNEXPECTED, with the original as its cause.
 */
export function toVulntuneError(thrown: unknown): VulntuneError {
	const error: NodeJS.ErrnoException = thrown instanceof Error ? thrown : new Error(String(thrown));
	const isAllocation =
		error instanceof RangeError && /allocation failed|invalid array length/i.test(error.message);
	if (isAllocation || memoryCodes.includes(error.code ?? '')) {
		return new VulntuneError({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: 'no memory is left',
			remedy: 'Use shorter sequences, training.checkpointing, a quantised base or a smaller model.',
			cause: error,
		});
	}
	const isWriting = /^(write|mkdir|rename|unlink|rmdir|rm|copyfile|ftruncate|fsync)$/.test(
		error.syscall ?? '',
	);
	const known = fileError(error, error.path ?? 'a file', isWriting ? 'written' : 'read');
	if (known instanceof VulntuneError) return known;
	return new VulntuneError({
		code: 'UNEXPECTED',
		kind: 'runtime',
		message: `unexpected failure: ${error.message.split('\n')[0]}`,
		remedy: 'Run it again with --debug to see where it comes from.',
		cause: error,
	});
}
