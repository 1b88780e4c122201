import { VulntuneError } from '../errors.ts';

/** Turns an error of the file system into one that says what to do; leaves every other error as it is. */
export function fileError(error: unknown, file: string, action: 'read' | 'written'): unknown {
	if (error instanceof VulntuneError || !(error instanceof Error) || !('code' in error)) return error;
	const known = knownFileErrors[String(error.code)];
	if (known === undefined) return error;
	return new VulntuneError({
		code: known.code,
		kind: known.kind,
		message: `the file cannot be ${action}: ${fileErrorReason(error)}`,
		place: file,
		remedy: known.remedy,
		cause: error,
	});
}

/** Why a file can't be read or written, in a few words: `permission is refused (EACCES)`. */
export function fileErrorReason(error: unknown): string {
	const code = String((error as { readonly code?: unknown }).code);
	const known = knownFileErrors[code];
	return known === undefined ? code : `${known.message} (${code})`;
}

interface KnownFileError {
	readonly code: string;
	readonly kind: 'input' | 'resources';
	readonly message: string;
	readonly remedy: string;
}

const missing: KnownFileError = {
	code: 'FILE_NOT_FOUND',
	kind: 'input',
	message: 'there is nothing at this path',
	remedy: 'Check the path.',
};
const forbidden: KnownFileError = {
	code: 'FILE_FORBIDDEN',
	kind: 'input',
	message: 'permission is refused',
	remedy: 'Change the permissions, or choose another path.',
};
const diskFull: KnownFileError = {
	code: 'DISK_FULL',
	kind: 'resources',
	message: 'there is no space left on the disk',
	remedy: 'Free some space, or choose a folder on another disk.',
};
const deviceFailure: KnownFileError = {
	code: 'DISK_FAILURE',
	kind: 'resources',
	message: 'the disk reports a failure',
	remedy: 'Check the disk, or choose a folder on another one.',
};

const knownFileErrors: Readonly<Record<string, KnownFileError>> = {
	ENOENT: missing,
	ENOTDIR: { ...missing, message: 'a part of this path is a file, not a folder' },
	EISDIR: {
		code: 'FILE_NOT_REGULAR',
		kind: 'input',
		message: 'there is a folder at this path',
		remedy: 'Give the path of a file.',
	},
	EACCES: forbidden,
	EPERM: forbidden,
	EROFS: forbidden,
	ENOSPC: diskFull,
	EDQUOT: diskFull,
	EFBIG: diskFull,
	EIO: deviceFailure,
	ENXIO: {
		code: 'FILE_NOT_REGULAR',
		kind: 'input',
		message: 'there is a device or a socket at this path',
		remedy: 'Give the path of a file.',
	},
	ELOOP: {
		code: 'FILE_NOT_FOUND',
		kind: 'input',
		message: 'the symbolic links on this path lead in a circle',
		remedy: 'Check the path.',
	},
	EMFILE: {
		code: 'TOO_MANY_FILES',
		kind: 'resources',
		message: 'too many files are open',
		remedy: 'Raise the limit of open files (ulimit -n).',
	},
	ENAMETOOLONG: {
		code: 'PATH_TOO_LONG',
		kind: 'input',
		message: 'the path is too long',
		remedy: 'Choose a shorter path.',
	},
};
