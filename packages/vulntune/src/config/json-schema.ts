import { z } from 'zod';
import type { OptionFacts } from './option-facts.ts';
import { configSchema } from './schema.ts';

/** The part of JSON Schema that a config option needs, and what our own schemas say beside it. */
export interface JsonSchema extends OptionFacts {
	readonly type?: 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';
	readonly description?: string;
	readonly default?: unknown;
	readonly const?: unknown;
	readonly enum?: readonly unknown[];
	readonly anyOf?: readonly JsonSchema[];
	readonly properties?: Readonly<Record<string, JsonSchema>>;
	readonly required?: readonly string[];
	readonly items?: JsonSchema;
	readonly prefixItems?: readonly JsonSchema[];
	readonly minimum?: number;
	readonly maximum?: number;
	readonly exclusiveMinimum?: number;
	readonly exclusiveMaximum?: number;
	readonly minItems?: number;
	readonly minLength?: number;
}

/** What a zod schema takes, as JSON Schema. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
	return z.toJSONSchema(schema, {
		io: 'input',
		override({ jsonSchema }) {
			// Every whole number is bounded by 2^53 in JavaScript; that is no news to a reader.
			if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
		},
	}) as JsonSchema;
}

/** The config's sections and options, the shorthands of YAML left out. */
export const structuralSchema = toJsonSchema(configSchema);
