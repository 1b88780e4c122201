/**
 * What went wrong, in the terms of whoever has to mend it. Everything that a user can cause is thrown as
 * one of these, so that the command line can print it without a stack trace and end with a stable exit code.
 */
export type ErrorKind =
	/** bad usage, configuration or input data: exit code 2 */
	| 'input'
	/** something finished only in part: exit code 3 */
	| 'partial'
	/** a failure while running: exit code 4 */
	| 'runtime'
	/** memory or disk exhausted: exit code 5 */
	| 'resources'
	/** stopped by the user: exit code 130 */
	| 'interrupted';

export interface ErrorDetails {
	/** Stable, upper case, never reused for another failure: `SAFETENSORS_TRUNCATED`. */
	readonly code: string;
	readonly kind: ErrorKind;
	/** What was expected and what was found, one sentence. */
	readonly message: string;
	/** Where: `train.jsonl:7`, `config.yaml:12`, a path, a tensor's name. */
	readonly place?: string;
	/** What to do next, one sentence. */
	readonly remedy?: string;
	readonly cause?: unknown;
}

/** The one error class of the project. `toString()` is what a user reads. */
export class VulntuneError extends Error {
	readonly code: string;
	readonly kind: ErrorKind;
	readonly place: string | undefined;
	readonly remedy: string | undefined;
	/** The message without place and remedy. */
	readonly summary: string;

	constructor(details: ErrorDetails) {
		const place = details.place === undefined ? '' : `${details.place}: `;
		const remedy = details.remedy === undefined ? '' : `\n  ${details.remedy}`;
		super(`${place}${details.message}${remedy}`, details.cause === undefined ? {} : { cause: details.cause });
		this.name = 'VulntuneError';
		this.code = details.code;
		this.kind = details.kind;
		this.place = details.place;
		this.remedy = details.remedy;
		this.summary = details.message;
	}
}

/** An error about what the user gave us: a file, an option, a row. */
export function inputError(
	code: string,
	message: string,
	details: { place?: string; remedy?: string; cause?: unknown } = {},
): VulntuneError {
	return new VulntuneError({ code, kind: 'input', message, ...details });
}
