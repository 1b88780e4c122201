import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';
import { fileErrorReason } from '@vulntune/engine/formats/file-errors.ts';
import { continueAdapter } from './continue-adapter.ts';
import type { ConfigDefinition } from './definition.ts';
import { type ConfigDocument, readConfigDocument } from './document.ts';
import { otherKind } from './file-kind.ts';
import { applyOverrides, type ConfigOverrides } from './overrides.ts';
import { resolveModel, resolvePath } from './paths.ts';
import type { Config, MethodBase, ParsedConfig } from './schema.ts';
import { trainingConfig } from './training-config.ts';
import { type ConfigFault, type ConfigSource, validateConfig } from './validate.ts';

export interface ConfigContext {
	/** Options from the command line; they win over the file. */
	readonly overrides?: ConfigOverrides;
	/** What `output` and paths on the command line are relative to; default the process's. */
	readonly workingFolder?: string;
	readonly homeFolder?: string;
	/** For the default output, `runs/<date>-<name>`; default now. */
	readonly date?: Date;
	/**
	 * A config that a run wrote: that options without effect stand in it is not for its reader to mend, and it has taken what it takes
	 * from `method.from`, which needn't be there any more.
	 */
	readonly isRecord?: boolean;
	/** Told of options that are written and have no effect. */
	readonly note?: (line: string) => void;
	/** The adapter in `method.from` may start on a base that is held otherwise. */
	readonly allowOtherBase?: boolean;
	/** One of many configs: an option that has no effect beside the others may have one in another of them, so it is a note. */
	readonly isCell?: boolean;
	/** Where an override comes from, if not from the command line. */
	readonly sourceOf?: (option: string) => OverrideSource | undefined;
}

/** A file that lays options over a config. */
export interface OverrideSource {
	/** Where the option stands in it, for errors. */
	readonly place: string;
	/** What its paths are relative to. */
	readonly folder: string;
}

/**
 * The config of a YAML file.
 *
 * @throws VulntuneError CONFIG_NOT_FOUND, CONFIG_YAML (broken YAML), CONFIG_INVALID (all faults at once, each as
 * `config.yaml:12: training.epochs: expected …, found …`)
 *
 * @example const config = loadConfig('configs/smollm2-x1.yaml', { overrides: { 'training.epochs': '3' } });
 */
export function loadConfig(file: string, context: ConfigContext = {}): Config {
	const { value, ...found } = readConfigFile(file, context);
	return resolveConfig(value, found);
}

/** What a config file holds, not checked yet, and the context to check it in. */
export function readConfigFile(file: string, context: ConfigContext): ValueContext & { value: unknown } {
	const workingFolder = context.workingFolder ?? process.cwd();
	const location = path.resolve(workingFolder, file);
	const document = readConfigDocument(readText(location, file), file);
	const { value } = document;
	return { ...context, value, place: file, folder: path.dirname(location), document };
}

export interface ValueContext extends ConfigContext {
	/** Name of the config in errors and in the default output. */
	readonly place: string;
	/** What paths in the config are relative to. */
	readonly folder: string;
	readonly document?: ConfigDocument;
}

/** A config from a value instead of a file: same checks, same defaults, same errors without the line. */
export function resolveConfig(value: unknown, context: ValueContext): Config {
	const take: ConfigSource<ParsedConfig>['take'] = (parsed, isWritten) => {
		const { from, type } = parsed.method;
		if (from === null || context.isRecord === true || (type !== 'lora' && type !== 'qlora')) return undefined;
		return continueAdapter(complete(parsed, context), isWritten, context.allowOtherBase === true);
	};
	return complete(checkConfig(value, trainingConfig, context, take), context);
}

/**
 * Checks a value and the overrides over it; throws CONFIG_INVALID with all faults at once.
 *
 * @param take what it has from elsewhere where it doesn't say it
 */
export function checkConfig<Parsed extends object>(
	value: unknown,
	definition: ConfigDefinition<Parsed>,
	context: ValueContext,
	take?: ConfigSource<Parsed>['take'],
): Parsed {
	const other = otherKind(value, definition, context.place);
	if (other !== undefined) throw other;
	const overridden = applyOverrides(value ?? {}, context.overrides ?? {}, definition.options);
	const flags = new Set(Object.keys(context.overrides ?? {}));
	const notesIdle = context.isRecord === true || context.isCell === true;
	const result = validateConfig(overridden, definition, { flags, notesIdle, take });
	if (result.faults !== undefined) throw configError(result.faults, context);
	for (const note of result.notes) context.note?.(note);
	return result.config;
}

function readText(location: string, file: string): string {
	try {
		return readFileSync(location, 'utf8');
	} catch (error) {
		throw inputError('CONFIG_NOT_FOUND', `the config can't be read: ${fileErrorReason(error)}`, {
			place: file,
			remedy: 'Give the path of a YAML file; configs/ has some to start from.',
			cause: error,
		});
	}
}

/** One error for all faults, each with its place: CONFIG_INVALID. */
export function configError(
	faults: readonly ConfigFault[],
	{
		place,
		document,
		overrides = {},
		sourceOf,
	}: Pick<ValueContext, 'place' | 'document' | 'overrides' | 'sourceOf'>,
): VulntuneError {
	const placed = faults.map(({ path: faultPath, message }) => {
		const name = faultPath.join('.');
		if (Object.hasOwn(overrides, name)) {
			const source = sourceOf?.(name);
			if (source !== undefined) return { line: 0, place: source.place, message };
			return { line: 0, place: `--${name}`, message: message.slice(`${name}: `.length) };
		}
		const line = document?.lineOf(faultPath);
		return { line: line ?? 0, place: line === undefined ? place : `${place}:${line}`, message };
	});
	placed.sort((a, b) => a.line - b.line);
	const [first] = placed;
	if (placed.length === 1) return inputError('CONFIG_INVALID', first!.message, { place: first!.place });
	const list = placed.map((fault) => `  ${fault.place}: ${fault.message}`).join('\n');
	return inputError('CONFIG_INVALID', `${placed.length} faults in the config\n${list}`);
}

function complete(parsed: ParsedConfig, context: ValueContext): Config {
	const paths = configPaths(context);
	const { data, method } = parsed;
	return {
		...parsed,
		model: resolveModel(parsed.model, paths.baseOf('model'), paths.home),
		data: {
			...data,
			path: paths.resolve('data.path', data.path),
			projects: data.projects === null ? null : paths.resolve('data.projects', data.projects),
		},
		method: {
			...method,
			base: method.base ?? defaultBase(parsed),
			from: method.from === null ? null : paths.resolve('method.from', method.from),
		},
		output: paths.output(parsed.output),
	};
}

/** How the paths of a config become absolute: those of the file from its folder, those of flags from the working folder. */
export function configPaths(context: ValueContext) {
	const working = context.workingFolder ?? process.cwd();
	const home = context.homeFolder ?? os.homedir();
	const baseOf = (option: string) =>
		Object.hasOwn(context.overrides ?? {}, option)
			? (context.sourceOf?.(option)?.folder ?? working)
			: context.folder;
	return {
		home,
		baseOf,
		resolve: (option: string, text: string) => resolvePath(text, baseOf(option), home),
		output: (text: string | undefined) =>
			runOfConfig(context) ?? resolvePath(text ?? defaultOutput(context), working, home),
	};
}

/**
 * The run that a config lies in, which is then its output wherever it was made: a run that was moved goes on in its new place.
 * undefined for any other config, and where the command line names the output.
 */
function runOfConfig({ folder, place, overrides = {} }: ValueContext): string | undefined {
	if (path.basename(place) !== 'config.yaml' || Object.hasOwn(overrides, 'output')) return undefined;
	return existsSync(path.join(folder, 'environment.json')) ? folder : undefined;
}

/** Full fine-tuning keeps the weights it moves in fp32; a frozen base is as precise as the arithmetic on it. */
function defaultBase({ method: { type }, training }: ParsedConfig): MethodBase {
	if (type === 'qlora') return 'nf4';
	return type === 'full' || training.precision === 'fp32' ? 'fp32' : 'bf16';
}

function defaultOutput({ date = new Date(), place }: ValueContext): string {
	const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()]
		.map((part) => String(part).padStart(2, '0'))
		.join('-');
	return path.join('runs', `${day}-${path.basename(place).replace(/\.ya?ml$/i, '')}`);
}
