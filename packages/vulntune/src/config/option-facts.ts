/**
 * Where an option has a meaning: other options, and the values of them that give it one (null: left out, where that is as good).
 * Said in the schema beside the option or its section; errors, help and the JSON Schema follow from it.
 */
export type Needs = Readonly<Record<string, readonly unknown[]>>;

/** What a schema says beside types and defaults, through zod's `meta`. */
export interface OptionFacts {
	/** null: has a meaning everywhere, whatever its section says. */
	readonly needs?: Needs | null;
	/** Other names of what is here, each with its own. */
	readonly meant?: Readonly<Record<string, string>>;
}
