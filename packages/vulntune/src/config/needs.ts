import type { Needs } from './option-facts.ts';
import type { SchemaOption } from './options.ts';

/** An option that is written and has no effect. */
export interface IdleOption {
	readonly option: SchemaOption;
	readonly value: unknown;
	/** The option that takes its meaning away, and the value it has. */
	readonly cause: string;
	readonly causeValue: unknown;
}

/** The values that give an option its meaning, in words: `qlora or lora`. */
export function meaningfulValues(values: readonly unknown[]): string {
	return values.filter((value) => value !== null).join(' or ');
}

/** `only with method.type qlora or lora`, `not with method.type ngram`; empty for an option that always has a meaning. */
export function describeNeeds(needs: Needs, options: readonly SchemaOption[]): string {
	return Object.entries(needs)
		.map(([name, values]) => {
			const wanted: readonly unknown[] = values.filter((value) => value !== null);
			const all = options.find((option) => option.name === name)?.schema.enum ?? [];
			const others = all.filter((value) => !wanted.includes(value));
			return others.length > 0 && others.length < wanted.length
				? `not with ${name} ${others.join(' or ')}`
				: `only with ${name} ${meaningfulValues(values)}`;
		})
		.join(', ');
}

/** The options without effect in a config, those that ask for nothing (null, false, 0) left out. */
export function idleOptions(raw: unknown, options: readonly SchemaOption[]): IdleOption[] {
	return options.flatMap((option) => {
		const value = valueAt(raw, option.path);
		if (value === undefined || value === null || value === false || value === 0) return [];
		const cause = idleCause(option, raw, options);
		return cause === undefined ? [] : [{ option, value, ...cause }];
	});
}

/** Whether an option has no effect in a config. */
export function isIdle(name: string, config: unknown, options: readonly SchemaOption[]): boolean {
	const option = options.find((candidate) => candidate.name === name);
	return option !== undefined && idleCause(option, config, options) !== undefined;
}

/** The first of an option's needs that a config does not meet. */
function idleCause(
	option: SchemaOption,
	config: unknown,
	options: readonly SchemaOption[],
): Pick<IdleOption, 'cause' | 'causeValue'> | undefined {
	for (const [cause, values] of Object.entries(option.needs)) {
		const needed = options.find(({ name }) => name === cause)!;
		const causeValue = valueAt(config, needed.path) ?? needed.default ?? null;
		if (!values.includes(causeValue)) return { cause, causeValue };
	}
	return undefined;
}

/** A config in which every option without effect has its default: two configs that do the same are the same. */
export function withoutIdle<Config extends object>(
	config: Config,
	options: readonly SchemaOption[],
	replace: (option: SchemaOption) => unknown = (option) => option.default,
): Config {
	const result = structuredClone(config) as Record<string, unknown>;
	for (const option of options) {
		if (idleCause(option, config, options) === undefined) continue;
		const [first, second] = option.path;
		const parent = second === undefined ? result : (result[first!] as Record<string, unknown>);
		const value = replace(option);
		if (value === undefined) delete parent[second ?? first!];
		else parent[second ?? first!] = structuredClone(value);
	}
	return result as Config;
}

/** What stands at a path; undefined where nothing does. */
export function valueAt(tree: unknown, path: readonly (string | number)[]): unknown {
	return path.reduce<unknown>(
		(value, part) =>
			typeof value === 'object' && value !== null && Object.hasOwn(value, part)
				? (value as Record<string | number, unknown>)[part]
				: undefined,
		tree,
	);
}
