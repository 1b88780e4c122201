import type { z } from 'zod';
import type { CrossCheck } from './cross-checks.ts';
import { type JsonSchema, toJsonSchema } from './json-schema.ts';
import { type ConfigSection, optionsOf, type SchemaOption, sectionsOf } from './options.ts';

/** A kind of config file: its schema, and what checks, flags and errors are made from. */
export interface ConfigDefinition<Parsed> {
	readonly schema: z.ZodType<Parsed>;
	readonly structure: JsonSchema;
	readonly options: readonly SchemaOption[];
	readonly sections: readonly ConfigSection[];
	readonly crossChecks: readonly CrossCheck<Parsed>[];
	/** A right value for every required option, so that the others can be looked at where one is missing. */
	readonly placeholders: Readonly<Record<string, unknown>>;
}

export function defineConfig<Parsed>(
	schema: z.ZodType<Parsed>,
	crossChecks: readonly CrossCheck<Parsed>[],
	placeholders: Readonly<Record<string, unknown>>,
): ConfigDefinition<Parsed> {
	const structure = toJsonSchema(schema);
	const [options, sections] = [optionsOf(structure), sectionsOf(structure)];
	return { schema, structure, options, sections, crossChecks, placeholders };
}
