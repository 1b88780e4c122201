import { type JsonSchema, structuralSchema } from './jsonSchema.ts';

/** One option of the config: a leaf of the schema. */
export interface ConfigOption {
	/** `training.epochs` */
	readonly name: string;
	/** `['training', 'epochs']` */
	readonly path: readonly string[];
	readonly description: string;
	/** undefined for an option that has no fixed default */
	readonly default: unknown;
	readonly isRequired: boolean;
	readonly schema: JsonSchema;
}

/** A section of the config: a name with options below it. The whole config is the section ''. */
export interface ConfigSection {
	readonly name: string;
	readonly keys: readonly string[];
}

/** Every option, in the order of the schema. */
export const configOptions: readonly ConfigOption[] = collectOptions(structuralSchema, []);

export const configSections: readonly ConfigSection[] = [
	{ name: '', keys: Object.keys(structuralSchema.properties!) },
	...Object.entries(structuralSchema.properties!).flatMap(([name, { properties }]) =>
		properties === undefined ? [] : [{ name, keys: Object.keys(properties) }],
	),
];

function collectOptions(schema: JsonSchema, path: readonly string[]): ConfigOption[] {
	return Object.entries(schema.properties!).flatMap(([key, child]) => {
		const childPath = [...path, key];
		if (child.properties !== undefined) return collectOptions(child, childPath);
		const option: ConfigOption = {
			name: childPath.join('.'),
			path: childPath,
			description: child.description ?? '',
			default: child.default,
			isRequired: schema.required?.includes(key) ?? false,
			schema: child,
		};
		return [option];
	});
}
