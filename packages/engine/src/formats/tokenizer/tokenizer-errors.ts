import { inputError, type VulntuneError } from '../../errors.ts';

/** A file of a tokenizer that contradicts itself, or another one. */
export function formatError(message: string, place: string): VulntuneError {
	return inputError('TOKENIZER_FILE', message, {
		place,
		remedy: 'The file is damaged: download or export the tokenizer again.',
	});
}

/** A tokenizer that asks for what would be done differently here than in the reference implementation. */
export function unsupportedError(message: string, place: string, cause?: unknown): VulntuneError {
	return inputError('TOKENIZER_UNSUPPORTED', message, {
		place,
		remedy: 'Choose a base model with a byte-level or Llama-like BPE tokenizer.',
		...(cause === undefined ? {} : { cause }),
	});
}
