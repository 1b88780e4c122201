import type { JsonSchema } from './json-schema.ts';

/** What an option takes, as an error says it: `a whole number of at least 1, or null`. */
export function expectation(schema: JsonSchema): string {
	if (schema.anyOf !== undefined) return schema.anyOf.map(expectation).join(', or ');
	if (schema.const !== undefined) return String(schema.const);
	if (schema.enum !== undefined) {
		return schema.enum.length === 1 ? String(schema.enum[0]) : `one of ${schema.enum.join(', ')}`;
	}
	switch (schema.type) {
		case 'boolean':
			return 'true or false';
		case 'null':
			return 'null';
		case 'string':
			return (schema.minLength ?? 0) > 0 ? 'a text that is not empty' : 'a text';
		case 'integer':
			return `a whole number${bounds(schema)}`;
		case 'number':
			return `a number${bounds(schema)}`;
		case 'array':
			if (schema.prefixItems === undefined) return `a list, each ${expectation(schema.items ?? {})}`;
			return `a list of ${schema.prefixItems.length}, each ${expectation(schema.prefixItems[0]!)}`;
		default:
			return 'a section';
	}
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
	const parts = [
		minimum === undefined ? '' : `of at least ${minimum}`,
		exclusiveMinimum === undefined ? '' : `above ${exclusiveMinimum}`,
		maximum === undefined ? '' : `of at most ${maximum}`,
		exclusiveMaximum === undefined ? '' : `below ${exclusiveMaximum}`,
	].filter((part) => part !== '');
	return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

/** Whether a value has the kind an option takes; ranges are left to the schema itself. */
export function accepts(schema: JsonSchema, value: unknown): boolean {
	if (schema.anyOf !== undefined) return schema.anyOf.some((choice) => accepts(choice, value));
	if (schema.const !== undefined) return value === schema.const;
	if (schema.enum !== undefined) return schema.enum.includes(value);
	switch (schema.type) {
		case 'null':
			return value === null;
		case 'integer':
		case 'number':
			return typeof value === 'number';
		case 'array':
			return (
				Array.isArray(value) && value.every((item) => accepts(schema.items ?? schema.prefixItems![0]!, item))
			);
		case 'object':
			return typeof value === 'object' && value !== null && !Array.isArray(value);
		default:
			return typeof value === schema.type;
	}
}
