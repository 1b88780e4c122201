/**
 * What a kind of weakness is made of, in terms that the schemes (`schemes.ts`) put together. In every text
 * `{x}` stands for the variable in question and `{y}` for a second one that the statement declares.
 */

/** A condition on `{x}` in both senses: `good` holds for harmless values, `bad` for dangerous ones. */
export interface Guard {
	readonly good: string;
	readonly bad: string;
}

/** Data from outside reaches a dangerous operation; it has to be checked or cleaned on the way. */
export interface FlowWeakness {
	readonly cwe: string;
	/** Type of the value that comes from outside. */
	readonly type: string;
	/** How a function body gets hold of such a value; `{s}` is a word for its key. */
	readonly sources: readonly string[];
	readonly verbs: readonly string[];
	readonly nouns: readonly string[];
	readonly guards: readonly Guard[];
	/** Expressions that turn `{x}` into a harmless value of the same type; empty where nothing can. */
	readonly cleaners: readonly string[];
	/** The dangerous operation. */
	readonly sinks: readonly string[];
	/** Operations on `{x}` that are harmless whatever it holds. */
	readonly harmless: readonly string[];
}

/** A strong and a weak way to make the same thing; which of them serves the sensitive purpose decides. */
export interface ChoiceWeakness {
	readonly cwe: string;
	readonly verbs: readonly string[];
	readonly nouns: readonly string[];
	/** Parameters that the uses below refer to. */
	readonly parameters: readonly string[];
	/** Declarations of `{x}`, strong and weak, position by position of the same type. */
	readonly strong: readonly string[];
	readonly weak: readonly string[];
	/** Uses of `{x}` for which only a strong one will do. */
	readonly sensitive: readonly string[];
	/** Uses of `{x}` for which a weak one is good enough. */
	readonly harmless: readonly string[];
}

export type Weakness = FlowWeakness | ChoiceWeakness;
