import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { ConfigDefinition } from './definition.ts';
import { found, valueFault } from './fault-text.ts';
import { nearestName } from './nearest.ts';
import { type IdleOption, idleOptions, meaningfulValues, valueAt, withoutIdle } from './needs.ts';

/** The parts of a definition that don't depend on what it parses to. */
type AnyDefinition = Pick<ConfigDefinition<unknown>, 'options' | 'sections' | 'placeholders'>;

/** Something wrong with a config, at a path into it. */
export interface ConfigFault {
	readonly path: readonly (string | number)[];
	/** `training.epochs: expected a whole number of at least 1, found "x"` */
	readonly message: string;
}

export type ValidationResult<Parsed> =
	| {
			readonly config: Parsed;
			/** What is written and has no effect, and is no contradiction. */
			readonly notes: readonly string[];
			readonly faults?: undefined;
	  }
	| { readonly config?: undefined; readonly faults: readonly ConfigFault[] };

/** What a config takes from elsewhere where it doesn't say it, by the name of the option, and what it says against that. */
export interface TakenOptions {
	readonly values: Readonly<Record<string, unknown>>;
	readonly faults: readonly ConfigFault[];
}

/** Where a config comes from. */
export interface ConfigSource<Parsed> {
	/** Names of the options that the command line gave. */
	readonly flags: ReadonlySet<string>;
	/** Whether the config is one in which nothing without effect is a fault: what a run wrote, or a cell of a grid. */
	readonly notesIdle: boolean;
	/**
	 * What the config takes from elsewhere; `isWritten` knows what it says itself. Rules between options are tried with that.
	 */
	readonly take?:
		| ((config: Parsed, isWritten: (option: string) => boolean) => TakenOptions | undefined)
		| undefined;
}

/**
 * Checks a whole config and finds all of its faults at once, those between options included.
 *
 * An option that has no effect beside the others is a fault, unless it has its default, or a flag gave it no meaning that the file
 * could not know of: then it is a note.
 */
export function validateConfig<Parsed extends object>(
	value: unknown,
	definition: ConfigDefinition<Parsed>,
	{ flags, notesIdle, take }: ConfigSource<Parsed>,
): ValidationResult<Parsed> {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		return { faults: [{ path: [], message: `expected sections and options, found ${found(value)}` }] };
	}
	const { schema, crossChecks, options } = definition;
	const raw = expandShorthands(value as Record<string, unknown>, definition);
	const parsed = schema.safeParse(raw);
	const faults = parsed.success ? [] : collectFaults(raw, parsed.error.issues, definition);
	// With every faulty part taken out, what is left can be checked for rules between options.
	const rest = parsed.success ? parsed : schema.safeParse(withoutFaults(raw, faults, definition));
	const isWritten = (name: string) => valueAt(raw, name.split('.')) !== undefined;
	const given = rest.success ? take?.(rest.data, isWritten) : undefined;
	const { values: taken, faults: contradictions } = given ?? { values: {}, faults: [] };
	/** Which of these options are not as they would be without what is taken, in words. */
	const notOwn = (names: readonly string[]) => {
		const isOther = (name: string) =>
			Object.hasOwn(taken, name) && !isDeepStrictEqual(taken[name], valueAt(rest.data, name.split('.')));
		const found = names.filter((name) => isOther(name) && !isWritten(name));
		return found.length === 0 ? '' : ` (${found.join(', ')}: as the adapter in method.from has it)`;
	};
	if (rest.success) {
		const config = withOptions(rest.data, taken);
		faults.push(...contradictions);
		const faulty = new Set(faults.map((fault) => fault.path.join('.')));
		for (const { options, check } of crossChecks) {
			if (options.some((name) => isFaulty(name, faulty))) continue;
			const message = check(config);
			const [first] = options;
			if (message === undefined) continue;
			faults.push({ path: first!.split('.'), message: `${first}: ${message}${notOwn(options)}` });
		}
	}
	const faulty = new Set(faults.map((fault) => fault.path.join('.')));
	const idle = idleOptions(withOptions(raw, taken), options).filter(
		({ cause, option }) => !isFaulty(cause, faulty) && isWritten(option.name),
	);
	const isNote = ({ option, value, cause }: IdleOption) =>
		notesIdle || isDeepStrictEqual(value, option.default) || (flags.has(cause) && !flags.has(option.name));
	for (const { option, cause, causeValue } of idle.filter(
		(found) => !isNote(found) && !faulty.has(found.option.name),
	)) {
		const only = `only with ${cause} ${meaningfulValues(option.needs[cause]!)}`;
		const why = `has no effect with ${cause} ${causeValue}${notOwn([cause])} (${only}): leave it out`;
		faults.push({ path: option.path, message: `${option.name}: ${why}` });
	}
	if (!parsed.success || faults.length > 0) return { faults };
	const config = withoutIdle(withOptions(parsed.data, taken), options);
	// what has no effect now is kept as it is there, for what goes on from here
	return { config: withOptions(config, taken), notes: notesOn(idle) };
}

/** A config with some options replaced. */
function withOptions<Tree extends object>(config: Tree, values: TakenOptions['values']): Tree {
	const result = structuredClone(config) as Record<string, unknown>;
	for (const [name, value] of Object.entries(values)) {
		const [first, second] = name.split('.');
		if (second === undefined) result[first!] = value;
		else result[first!] = { ...(result[first!] as object), [second]: value };
	}
	return result as Tree;
}

/** One line for all options that one other leaves without effect. */
function notesOn(idle: readonly IdleOption[]): string[] {
	const byCause = Map.groupBy(idle, ({ cause, causeValue }) => `${cause} ${causeValue}`);
	return [...byCause].map(([cause, found]) => {
		const names = found.map(({ option }) => option.name).join(', ');
		return `no effect with ${cause}: ${names}`;
	});
}

function isFaulty(name: string, faulty: ReadonlySet<string>): boolean {
	return faulty.has(name) || faulty.has(name.split('.')[0]!);
}

/** A bare word for `backend` is its type; a section with nothing in it is one left out. */
function expandShorthands(
	value: Record<string, unknown>,
	{ sections }: AnyDefinition,
): Record<string, unknown> {
	const raw = { ...value };
	for (const { name } of sections) {
		if (name !== '' && (raw[name] === null || raw[name] === undefined)) raw[name] = {};
	}
	if (typeof raw.backend === 'string') raw.backend = { type: raw.backend };
	return raw;
}

function collectFaults(
	raw: unknown,
	issues: readonly z.core.$ZodIssue[],
	definition: AnyDefinition,
): ConfigFault[] {
	const faults = new Map<string, ConfigFault>();
	for (const issue of issues) {
		const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
		const issueFaults =
			issue.code === 'unrecognized_keys'
				? issue.keys.map((key) => unknownKey([...path, key], definition))
				: [wrongValue(raw, path, definition)];
		// Several issues of one option (two items of a list) are one fault.
		for (const fault of issueFaults) faults.set(fault.path.join('.'), fault);
	}
	return [...faults.values()];
}

function unknownKey(path: readonly (string | number)[], { options, sections }: AnyDefinition): ConfigFault {
	const key = String(path.at(-1));
	const section = path.slice(0, -1).join('.');
	const keys = sections.find(({ name }) => name === section)?.keys ?? [];
	const elsewhere = options.find((option) => option.path.at(-1) === key)?.name;
	const nearest = nearestName(key, keys);
	const suggestion = nearest === undefined ? elsewhere : [...path.slice(0, -1), nearest].join('.');
	const hint = suggestion === undefined ? `known are ${keys.join(', ')}` : `did you mean ${suggestion}?`;
	return { path, message: `${path.join('.')}: unknown option, ${hint}` };
}

function wrongValue(
	raw: unknown,
	path: readonly (string | number)[],
	{ options, sections }: AnyDefinition,
): ConfigFault {
	const name = path.join('.');
	const option = options.find(
		(candidate) => name === candidate.name || name.startsWith(`${candidate.name}.`),
	);
	if (option === undefined) {
		const section = sections.find((candidate) => candidate.name === name);
		const expected = `a section with ${section?.keys.join(', ')}`;
		return { path, message: `${name}: expected ${expected}, found ${found(valueAt(raw, path))}` };
	}
	const fault = valueFault(option, valueAt(raw, option.path));
	return { path: option.path, message: `${option.name}: ${fault}` };
}

function withoutFaults(
	raw: Record<string, unknown>,
	faults: readonly ConfigFault[],
	{ placeholders }: AnyDefinition,
): Record<string, unknown> {
	const rest = structuredClone(raw);
	for (const { path } of faults) {
		const parent = valueAt(rest, path.slice(0, -1));
		if (typeof parent === 'object' && parent !== null)
			delete (parent as Record<string, unknown>)[path.at(-1)!];
	}
	for (const [name, value] of Object.entries(placeholders)) {
		const isSection = typeof value === 'object' && value !== null;
		rest[name] = isSection ? { ...value, ...(rest[name] as object) } : (rest[name] ?? value);
	}
	return rest;
}
