import { inputError } from '@vulntune/engine/errors.ts';
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import type { ConfigDefinition } from '../config/definition.ts';
import { expectation } from '../config/expectation.ts';
import { valueFault } from '../config/fault-text.ts';
import { toJsonSchema } from '../config/json-schema.ts';
import { nearestName } from '../config/nearest.ts';
import { describeNeeds } from '../config/needs.ts';
import { type ConfigSection, configOptions, optionsOf, type SchemaOption } from '../config/options.ts';
import { type ConfigOverrides, readFlagValue } from '../config/overrides.ts';
import { trainingConfig } from '../config/training-config.ts';

/** Shorter names of options: a bare word for a section, as in the config (`--backend cpu`); what other commands call so too. */
const shorthands = [
	{ flag: 'backend', key: 'backend', option: 'backend.type', value: 'value' },
	{
		flag: 'drop-near-duplicates',
		key: 'dropNearDuplicates',
		option: 'data.dropNearDuplicates',
		value: 'boolean',
	},
] as const;

/** Gives a command one flag for every option of the config: `--training.epochs <value>`. */
export function addConfigFlags(
	command: Command,
	{ options, sections }: Pick<ConfigDefinition<unknown>, 'options' | 'sections'> = trainingConfig,
): void {
	for (const option of options) {
		const value = option.schema.type === 'boolean' ? 'boolean' : 'value';
		const section = sections.find(({ name }) => name === option.path[0]);
		const shared = Object.keys(section?.needs ?? {});
		const own = Object.fromEntries(Object.entries(option.needs).filter(([name]) => !shared.includes(name)));
		const where = describeNeeds(own, options);
		const description = `${describe(option)}${where === '' ? '' : `, ${where}`}`;
		const added = flagTaking(option, `--${option.name} <${value}>`, description);
		command.addOption(added.helpGroup(headingOf(section, options)));
	}
	for (const { flag, option, value } of shorthands) {
		const meant = options.find(({ name }) => name === option);
		if (meant === undefined) continue;
		const section = sections.find(({ name }) => name === option.split('.')[0]);
		const added = flagTaking(meant, `--${flag} <${value}>`, `same as --${option}`);
		command.addOption(added.helpGroup(headingOf(section, options)));
	}
}

/** What the flags of options take, as an error says it. */
const expected = new WeakMap<Option, string>();

function flagTaking({ schema }: SchemaOption, flags: string, description: string): Option {
	const flag = new Option(flags, description);
	expected.set(flag, expectation(schema));
	return flag;
}

/** What is wrong with a command line whose flag stands without its value. */
export function missingValue({ options }: Command, flags: string | undefined): string | undefined {
	const flag = options.find((option) => option.flags === flags);
	const wanted = flag === undefined ? undefined : expected.get(flag);
	return wanted === undefined ? undefined : `${flag!.long}: expected ${wanted}, found nothing`;
}

/**
 * What is wrong with a command line that has a word too many, where that was meant as the value of a flag: one that takes true or
 * false alone, or none at all.
 */
export function surplusValue(command: Command, argv: readonly string[]): string | undefined {
	const surplus = command.args.slice(command.registeredArguments.length);
	const meant = argv.flatMap((argument, i) => {
		const word = argv[i + 1];
		const flag = command.options.find(({ long }) => long === argument);
		if (flag === undefined || word === undefined || !command.args.includes(word)) return [];
		if (isBoolean(flag)) return [{ word, message: `${argument}: expected true or false, found "${word}"` }];
		if (flag.required || !surplus.includes(word)) return [];
		return [{ word, message: `${argument} takes no value, found "${word}"` }];
	});
	return (meant.find(({ word }) => surplus.includes(word)) ?? meant[0])?.message;
}

function headingOf(section: ConfigSection | undefined, options: readonly SchemaOption[]): string {
	if (section === undefined) return 'Options of the config:';
	const where = describeNeeds(section.needs, options);
	return `${section.name}: ${section.description}${where === '' ? '' : ` (${where})`}`;
}

/** The options of the config that were given as flags, by name. */
export function configOverrides(
	values: Readonly<Record<string, unknown>>,
	options: readonly SchemaOption[] = configOptions,
): ConfigOverrides {
	const overrides: Record<string, string> = {};
	for (const { key, option } of shorthands) {
		if (!options.some(({ name }) => name === option)) continue;
		if (typeof values[key] === 'string') overrides[option] = values[key];
	}
	for (const { name } of options) {
		if (typeof values[name] === 'string') overrides[name] = values[name];
	}
	return overrides;
}

/** `--method.rsLora` alone means `--method.rsLora true`; a word that follows is its value only if it is true or false. */
export function spellOutBooleans(argv: readonly string[], { options }: Command): string[] {
	const names = new Set(options.filter(isBoolean).map(({ long }) => long));
	return argv.map((argument, index) => {
		const next = argv[index + 1];
		return names.has(argument) && next !== 'true' && next !== 'false' ? `${argument}=true` : argument;
	});
}

function isBoolean({ flags }: Option): boolean {
	return flags.endsWith(' <boolean>');
}

/** The flags of a command whose last part is what an unknown flag says: `--epochs` is `--training.epochs`. */
export function nearestFlags(flag: string, command: Command): string[] {
	const plain = (name: string) => name.replaceAll('-', '').toLowerCase();
	const wanted = plain(flag.replace(/=.*/s, ''));
	const flags = command.options.flatMap(({ long }) => (long?.includes('.') ? [long] : []));
	return flags.filter((long) => plain(long.split('.').at(-1)!) === wanted);
}

/** The flags of a command line that its command does not take; commander names the first alone. */
export function unknownFlags(argv: readonly string[], command: Command): string[] {
	const known = optionsFor(command);
	const end = argv.indexOf('--');
	const words = spellOutBooleans(end < 0 ? argv : argv.slice(0, end), command);
	const unknown: string[] = [];
	for (let i = 0; i < words.length; i++) {
		const [name = '', value] = words[i]!.split('=', 2);
		if (!/^--?[a-z]/i.test(name)) continue;
		const option = known.find(({ long, short }) => long === name || short === name);
		if (option === undefined) unknown.push(name);
		// what follows is its value, whatever that begins with
		else if (option.required && value === undefined) i += 1;
	}
	return unknown;
}

/** What an unknown flag may have meant: ` (did you mean --training.epochs?)`, or nothing. */
export function meantFlag(flag: string, command: Command): string {
	const flags = optionsFor(command).flatMap(({ long }) => long ?? []);
	const nearest = nearestName(flag, flags);
	const meant = [...nearestFlags(flag, command), ...(nearest === undefined ? [] : [nearest])];
	return meant.length === 0 ? '' : ` (did you mean ${meant[0]}?)`;
}

/** Of the command and of those that it is a part of. */
function optionsFor(command: Command): readonly Option[] {
	const own = [...command.options, ...(command.parent === null ? [] : optionsFor(command.parent))];
	return [...own, new Option('-h, --help')];
}

/** Gives a command the flags of its own schema: `dryRun` is `--dry-run`; what is true by default is `--no-…`. */
export function addFlags(command: Command, schema: z.ZodObject): void {
	for (const option of optionsOf(toJsonSchema(schema))) {
		const isSwitch = option.schema.type === 'boolean';
		const flag = flagOf(option);
		command.addOption(
			isSwitch
				? new Option(flag, option.description)
				: flagTaking(option, `${flag} <value>`, describe(option)),
		);
	}
}

/**
 * The values of a command's own flags.
 *
 * @throws VulntuneError USAGE that names every flag with a wrong value
 */
export function readFlags<Schema extends z.ZodObject>(
	schema: Schema,
	values: Readonly<Record<string, unknown>>,
): z.output<Schema> {
	const options = optionsOf(toJsonSchema(schema));
	const given = options.flatMap((option) => {
		const value = values[option.name];
		if (value === undefined) return [];
		return [[option.name, typeof value === 'string' ? readFlagValue(option, value) : value]];
	});
	const parsed = schema.safeParse(Object.fromEntries(given));
	if (parsed.success) return parsed.data;
	const wrong = new Set(parsed.error.issues.map(({ path }) => path[0]));
	const faults = options
		.filter(({ name }) => wrong.has(name))
		.map((option) => `${flagOf(option)}: ${valueFault(option, Object.fromEntries(given)[option.name])}`);
	throw inputError('USAGE', faults.join('\n  '));
}

function flagOf({ name, default: value }: SchemaOption): string {
	const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
	return value === true ? `--no-${words}` : `--${words}`;
}

function describe({ schema, description, default: value, isRequired }: SchemaOption): string {
	const text = Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value);
	const preset = isRequired ? '; required' : value === undefined ? '' : `; default ${text}`;
	return `${description} (${expectation(schema)}${preset})`;
}
