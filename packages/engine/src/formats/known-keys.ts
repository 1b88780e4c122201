import { describeJson } from './json.ts';

/**
 * What a key of a file from elsewhere means here. `used`: whoever takes the file apart reads it. `neutral`: it changes
 * nothing that is computed here, whatever its value. `off`: it would change what is computed, and is refused unless it is
 * off. A list: the values with which it changes nothing; any other is refused.
 */
export type KeyRule = 'used' | 'neutral' | 'off' | readonly (string | number | boolean)[];

/** The keys of one kind of file with what they mean. */
export type KeyTable = ReadonlyMap<string, KeyRule>;

/** A table from lists of names; `only` gives a key the values that it may have. */
export function keyTable(keys: {
	readonly used: readonly string[];
	readonly neutral: readonly string[];
	readonly off?: readonly string[];
	readonly only?: Readonly<Record<string, readonly (string | number | boolean)[]>>;
}): KeyTable {
	const ruled = (names: readonly string[], rule: KeyRule) => names.map((name) => [name, rule] as const);
	return new Map([
		...ruled(keys.used, 'used'),
		...ruled(keys.neutral, 'neutral'),
		...ruled(keys.off ?? [], 'off'),
		...Object.entries(keys.only ?? {}),
	]);
}

/**
 * Throws what `refuse` makes for the first key whose value may change what is computed and that nothing here reads. A key
 * that the table lacks may be off: the formats' convention is that what a file switches on is written as a value that is
 * neither null nor false nor empty. Numbers are never off: a factor of 0 is a factor.
 */
export function refuseUnknownKeys(
	json: object,
	table: KeyTable,
	refuse: (key: string, message: string) => Error,
): void {
	for (const [key, value] of Object.entries(json)) {
		const rule = table.get(key);
		if (rule === 'used' || rule === 'neutral' || value === null) continue;
		if (Array.isArray(rule)) {
			if (rule.includes(value)) continue;
			throw refuse(
				key,
				`${rule.map((allowed) => JSON.stringify(allowed)).join(' or ')} is expected, found ${describeJson(value)}`,
			);
		}
		if (isOff(value)) continue;
		const what = rule === 'off' ? 'is not supported' : 'is not known here and may change what is computed';
		throw refuse(key, `${key} ${what}, found ${describeJson(value)}`);
	}
}

function isOff(value: unknown): boolean {
	if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
	return value === false || value === '';
}
