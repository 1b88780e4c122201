import { expectation } from './expectation.ts';
import { nearestName } from './nearest.ts';
import type { SchemaOption } from './options.ts';

/** What is wrong with an option's value: `expected a whole number of at least 1, found "x"`. */
export function valueFault(option: SchemaOption, value: unknown): string {
	const expected = expectation(option.schema);
	if (value === undefined) return `required, expected ${expected}`;
	const beyond = isBeyond(option, value)
		? ', which is beyond the whole numbers that are exact here (2^53)'
		: '';
	return `expected ${expected}, found ${found(value)}${beyond}${didYouMean(option, value)}`;
}

/** Of a whole number that only its size can be wrong with. */
function isBeyond({ schema }: SchemaOption, value: unknown): boolean {
	const isWhole = [schema, ...(schema.anyOf ?? [])].some(({ type }) => type === 'integer');
	return isWhole && Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** A value as an error shows it, cut to one line. */
export function found(value: unknown): string {
	if (value === undefined) return 'nothing';
	// JSON has no infinity, which YAML has
	const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
	return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function didYouMean({ schema }: SchemaOption, value: unknown): string {
	if (typeof value !== 'string') return '';
	const words = [schema, ...(schema.anyOf ?? [])].flatMap(({ enum: choices = [] }) => choices.map(String));
	const nearest = schema.meant?.[value.toLowerCase()] ?? nearestName(value, words);
	return nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
}
