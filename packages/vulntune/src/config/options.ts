import { type JsonSchema, structuralSchema } from './json-schema.ts';
import type { Needs } from './option-facts.ts';

/** One option of a config or command: a leaf of its schema. */
export interface SchemaOption {
	/** `training.epochs` */
	readonly name: string;
	/** `['training', 'epochs']` */
	readonly path: readonly string[];
	readonly description: string;
	/** undefined for an option that has no fixed default */
	readonly default: unknown;
	readonly isRequired: boolean;
	/** Where it has a meaning; nothing where it always has. */
	readonly needs: Needs;
	readonly schema: JsonSchema;
}

/** A section of the config: a name with options below it. The whole config is the section ''. */
export interface ConfigSection {
	readonly name: string;
	readonly description: string;
	/** What its options have in common. */
	readonly needs: Needs;
	readonly keys: readonly string[];
}

/** Every option, in the order of the schema. */
export const configOptions: readonly SchemaOption[] = optionsOf(structuralSchema);

export const configSections: readonly ConfigSection[] = sectionsOf(structuralSchema);

export function sectionsOf(schema: JsonSchema): ConfigSection[] {
	return [
		{ name: '', description: 'the whole config', needs: {}, keys: Object.keys(schema.properties!) },
		...Object.entries(schema.properties!).flatMap(([name, { properties, description = '', needs }]) =>
			properties === undefined
				? []
				: [{ name, description, needs: needs ?? {}, keys: Object.keys(properties) }],
		),
	];
}

/** The leaves of a schema, in its order. */
export function optionsOf(
	schema: JsonSchema,
	path: readonly string[] = [],
	inherited: Needs = {},
): SchemaOption[] {
	return Object.entries(schema.properties!).flatMap(([key, child]) => {
		const childPath = [...path, key];
		const needs = child.needs === null ? {} : { ...inherited, ...child.needs };
		if (child.properties !== undefined) return optionsOf(child, childPath, needs);
		const option: SchemaOption = {
			name: childPath.join('.'),
			path: childPath,
			description: child.description ?? '',
			default: child.default,
			isRequired: schema.required?.includes(key) ?? false,
			needs,
			schema: child,
		};
		return [option];
	});
}
