import { type ErrorKind, VulntuneError } from '@vulntune/engine';

/** Stable: others script against them. 1 is kept for findings of a scan. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
	input: 2,
	partial: 3,
	runtime: 4,
	resources: 5,
	interrupted: 130,
};

const fileFaults: Readonly<Record<string, string>> = {
	ENOENT: 'there is no such file or folder',
	EACCES: 'permission denied',
	EPERM: 'not permitted',
	EISDIR: 'expected a file, found a folder',
	ENOTDIR: 'expected a folder, found a file',
	EEXIST: 'is there already',
	EROFS: 'the file system is read-only',
};

const exhausted: Readonly<Record<string, string>> = {
	ENOSPC: 'no space is left on the disk',
	EDQUOT: 'the disk quota is used up',
	ENOMEM: 'no memory is left',
	EMFILE: 'too many files are open',
	ERR_MEMORY_ALLOCATION_FAILED: 'no memory is left',
	ERR_WORKER_OUT_OF_MEMORY: 'no memory is left',
};

/**
 * Any thrown value as the error a user reads: what the file system and the memory allocator report gets a place and an exit code;
 * what nobody foresaw is one line, code UNEXPECTED, with the original as its cause.
 */
export function toVulntuneError(thrown: unknown): VulntuneError {
	if (thrown instanceof VulntuneError) return thrown;
	const error: NodeJS.ErrnoException = thrown instanceof Error ? thrown : new Error(String(thrown));
	const { code = '', path } = error;
	const place = path === undefined ? {} : { place: path };
	const isAllocation =
		error instanceof RangeError && /allocation failed|invalid array length/i.test(error.message);
	if (Object.hasOwn(exhausted, code) || isAllocation) {
		return new VulntuneError({
			code: 'OUT_OF_RESOURCES',
			kind: 'resources',
			message: exhausted[code] ?? 'no memory is left',
			remedy: 'Free some, or choose a smaller model, sequence.length or another output folder.',
			cause: error,
			...place,
		});
	}
	if (Object.hasOwn(fileFaults, code)) {
		const message = fileFaults[code]!;
		return new VulntuneError({ code: 'FILE', kind: 'input', message, cause: error, ...place });
	}
	return new VulntuneError({
		code: 'UNEXPECTED',
		kind: 'runtime',
		message: `unexpected failure: ${error.message.split('\n')[0]}`,
		remedy: 'Run it again with --debug to see where it comes from.',
		cause: error,
	});
}
