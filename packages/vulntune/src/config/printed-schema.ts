import { type JsonSchema, structuralSchema } from './json-schema.ts';
import { describeNeeds } from './needs.ts';
import { optionsOf, type SchemaOption } from './options.ts';

/**
 * The JSON Schema of a config file: what `vulntune train --print-schema` prints, for editors to complete and check with.
 *
 * @param structure of another kind of config than that of `vulntune train`; it has a `backend` too
 */
export function configJsonSchema(structure: JsonSchema = structuralSchema): JsonSchema {
	const { backend, ...properties } = structure.properties!;
	const { type } = backend!.properties!;
	const shorthand = {
		...structure,
		properties: { ...properties, backend: { anyOf: [type!, backend!] } },
	};
	const options = optionsOf(structure);
	return { title: 'vulntune config', ...withNeedsInWords(shorthand, options) } as JsonSchema;
}

/** Editors and strict validators know nothing of `needs` and `meant`: what they say goes into the descriptions. */
function withNeedsInWords(schema: JsonSchema, options: readonly SchemaOption[]): JsonSchema {
	const { needs, meant: _meant, ...rest } = schema;
	const where = needs ? describeNeeds(needs, options) : '';
	const inside = (child: JsonSchema) => withNeedsInWords(child, options);
	return {
		...rest,
		...(where === '' ? {} : { description: `${rest.description} (${where})` }),
		...(rest.anyOf === undefined ? {} : { anyOf: rest.anyOf.map(inside) }),
		...(rest.properties === undefined
			? {}
			: {
					properties: Object.fromEntries(
						Object.entries(rest.properties).map(([key, child]) => [key, inside(child)]),
					),
				}),
	};
}
