import { parse } from 'yaml';
import { accepts } from './expectation.ts';
import { configOptions, type SchemaOption } from './options.ts';

/** Values given on the command line by option name: `{'training.epochs': '3'}`. */
export type ConfigOverrides = Readonly<Record<string, string>>;

/**
 * A config value with the overrides laid over it.
 *
 * Their text is read as YAML (`3`, `false`, `null`, `[a, b]`); a list may also be written `a,b`, and where an option takes only a
 * text, the text is taken as it is.
 */
export function applyOverrides(
	value: unknown,
	overrides: ConfigOverrides,
	options: readonly SchemaOption[] = configOptions,
): unknown {
	if (Object.keys(overrides).length === 0) return value;
	if (typeof value !== 'object' || Array.isArray(value)) return value;
	const result = structuredClone(value ?? {}) as Record<string, unknown>;
	for (const [name, text] of Object.entries(overrides)) {
		const option = options.find((candidate) => candidate.name === name);
		if (option === undefined) throw new RangeError(`no option is called ${name}`);
		const [first, second] = option.path;
		if (second === undefined) result[first!] = readFlagValue(option, text);
		else result[first!] = { ...sectionOf(result[first!]), [second]: readFlagValue(option, text) };
	}
	return result;
}

function sectionOf(value: unknown): object {
	if (typeof value === 'string') return { type: value };
	return typeof value === 'object' && value !== null ? value : {};
}

/** The value that the text of a flag stands for. */
export function readFlagValue({ schema }: SchemaOption, text: string): unknown {
	// nothing is no null: a variable of a shell that is not set asks for none
	if (schema.type === 'string' || text.trim() === '') return text;
	const asYaml = readYaml(text);
	const candidates = [asYaml, text, text.split(',').map((item) => readYaml(item.trim()))];
	return candidates.find((candidate) => accepts(schema, candidate)) ?? asYaml;
}

function readYaml(text: string): unknown {
	try {
		return parse(text, { logLevel: 'error' });
	} catch {
		return text;
	}
}
