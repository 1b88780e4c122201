import { VulntuneError } from '@vulntune/engine/errors.ts';

/** An error as it crosses threads and processes. */
export interface SerializedError {
	readonly details: ConstructorParameters<typeof VulntuneError>[0] | undefined;
	readonly message: string;
	readonly stack: string | undefined;
}

export function serializeError(error: unknown): SerializedError {
	if (!(error instanceof Error)) return { details: undefined, message: String(error), stack: undefined };
	const { message, stack } = error;
	if (!(error instanceof VulntuneError)) return { details: undefined, message, stack };
	const { code, kind, place, remedy, summary } = error;
	const details = {
		code,
		kind,
		message: summary,
		...(place === undefined ? {} : { place }),
		...(remedy === undefined ? {} : { remedy }),
	};
	return { details, message, stack };
}

export function deserializeError(error: SerializedError): Error {
	if (error.details !== undefined) return new VulntuneError(error.details);
	const copy = new Error(error.message);
	if (error.stack !== undefined) copy.stack = error.stack;
	return copy;
}
