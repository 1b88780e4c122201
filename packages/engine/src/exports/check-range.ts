import { inputError } from '../errors.ts';

/**
 * Throws EXPORT_RANGE where a value is beyond the largest magnitude of the type that its tensor is to be written in, which would make it
 * infinite without a word, or is no number.
 */
export function checkRange(
	name: string,
	values: Float32Array,
	{ type, largest }: { readonly type: string; readonly largest: number },
	remedy: string,
): void {
	const wrong = values.findIndex((value) => !(Math.abs(value) <= largest));
	if (wrong < 0) return;
	throw inputError(
		'EXPORT_RANGE',
		`${values[wrong]} (element ${wrong}) is not among the numbers of ${type}`,
		{
			place: name,
			remedy,
		},
	);
}
