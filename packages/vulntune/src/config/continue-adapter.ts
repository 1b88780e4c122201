import { existsSync } from 'node:fs';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { modelFiles } from '@vulntune/engine/formats/model-files.ts';
import { readAdapterConfig } from '@vulntune/engine/models/adapter-config.ts';
import { readPeftModules } from '@vulntune/engine/models/peft-adapter.ts';
import { quantizedTypes } from '@vulntune/engine/quantize/types.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { type DetectorDescription, readDescription } from '../methods/description.ts';
import type { Config, MethodBase } from './schema.ts';
import type { ConfigFault, TakenOptions } from './validate.ts';

/**
 * What a config takes from the adapter in `method.from`: what it doesn't say in so many words is as the adapter has it, and what it
 * says otherwise is a fault where it would start another function than the adapter's: rank, alpha, rsLora, targets, bidirectionalLayers; how the
 * base is held; of the same objective also the head. Dropout, the objective and its question may be others.
 *
 * @param config without what it takes
 * @param isWritten whether the file or the command line gives an option
 * @param allowOtherBase the base may be held otherwise too
 */
export function continueAdapter(
	config: Config,
	isWritten: (option: string) => boolean,
	allowOtherBase: boolean,
): TakenOptions {
	const folder = adapterFolder(config.method.from!);
	const file = path.join(folder, 'adapter_config.json');
	// what is missing is said where the adapter is read
	if (!existsSync(file)) return { values: {}, faults: [] };
	const { rank, alpha, rsLora, dropout } = readAdapterConfig(file);
	const description = readDescription(folder);
	const options = { config, isWritten, faults: [] as ConfigFault[] };
	const objective = chosen(options, 'objective', config.objective, description?.objective);
	const question = (name: keyof Config['nextToken']) =>
		chosen(options, `nextToken.${name}`, config.nextToken[name], description?.nextToken[name]);
	const { method } = config;
	const values = {
		objective,
		'nextToken.prompt': question('prompt'),
		'nextToken.positive': question('positive'),
		'nextToken.negative': question('negative'),
		...headOf(options, description, objective),
		'method.rank': bound(options, 'method.rank', method.rank, rank),
		'method.alpha': bound(options, 'method.alpha', method.alpha, alpha),
		'method.rsLora': bound(options, 'method.rsLora', method.rsLora, rsLora),
		'method.dropout': chosen(options, 'method.dropout', method.dropout, dropout),
		'method.targets': targetsOf(options, folder),
		'method.bidirectionalLayers': bound(
			options,
			'method.bidirectionalLayers',
			method.bidirectionalLayers,
			description && (description.bidirectionalLayers ?? 0),
		),
		...baseOf(options, description, allowOtherBase),
	};
	return { values, faults: options.faults };
}

interface Options {
	readonly config: Config;
	readonly isWritten: (option: string) => boolean;
	readonly faults: ConfigFault[];
}

/** What is written, else the adapter's. */
function chosen<Value>({ isWritten }: Options, name: string, own: Value, adapters: Value | undefined): Value {
	return isWritten(name) || adapters === undefined ? own : adapters;
}

/** The adapter's; a fault where something else is written. */
function bound<Value>(options: Options, name: string, own: Value, adapters: Value | undefined): Value {
	if (adapters === undefined) return own;
	if (options.isWritten(name) && JSON.stringify(own) !== JSON.stringify(adapters)) {
		addFault(options, name, JSON.stringify(adapters), JSON.stringify(own));
	}
	return adapters;
}

function addFault({ faults }: Options, name: string, expected: string, found: string): void {
	const message = `${name}: expected ${expected}, as the adapter in method.from has it (or leave it out), found ${found}`;
	faults.push({ path: name.split('.'), message });
}

/** The head, and what it sees beside the model. */
function headOf(options: Options, description: DetectorDescription | undefined, objective: string): object {
	const { head, method } = options.config;
	// an adapter of the other objective has no head: a fresh one is as the config says
	if (description?.objective !== 'class' || objective !== 'class') return {};
	const stack = description.stack?.type ?? null;
	return {
		'head.pool': bound(options, 'head.pool', head.pool, description.head.pool),
		'head.hidden': bound(options, 'head.hidden', head.hidden, description.head.hidden),
		'head.bias': bound(options, 'head.bias', head.bias, description.head.bias ?? false),
		'method.stack': bound(options, 'method.stack', method.stack, stack),
	};
}

/** How the base is held. */
function baseOf(options: Options, description: DetectorDescription | undefined, allowOther: boolean): object {
	const { type, base, doubleQuantization } = options.config.method;
	if (description === undefined) return {};
	const adapters = description.base as MethodBase;
	const isQuantized = (quantizedTypes as readonly string[]).includes(adapters);
	const fits = isQuantized === (type === 'qlora');
	const [baseName, doubleName] = ['method.base', 'method.doubleQuantization'];
	const { doubleQuantization: doubled } = description;
	if (allowOther) {
		return {
			...(fits ? { [baseName]: chosen(options, baseName, base, adapters) } : {}),
			[doubleName]: chosen(options, doubleName, doubleQuantization, doubled),
		};
	}
	if (!fits) {
		const expected = `${isQuantized ? 'qlora' : 'lora'} on a base in ${adapters}`;
		const name = 'method.type';
		const otherwise = 'or take the base held otherwise by name, with --allow-other-base';
		const message = `${name}: expected ${expected}, as the adapter in method.from was trained (${otherwise}), found ${type}`;
		options.faults.push({ path: name.split('.'), message });
		return {};
	}
	return {
		[baseName]: bound(options, baseName, base, adapters),
		...(isQuantized ? { [doubleName]: bound(options, doubleName, doubleQuantization, doubled) } : {}),
	};
}

/**
 * The modules that the adapter adapts, by the last parts of their names where these select no others of the base. What is written is
 * compared when the base is opened, which knows what it selects.
 */
function targetsOf({ config, isWritten }: Options, folder: string): Config['method']['targets'] {
	if (isWritten('method.targets')) return config.method.targets;
	const modules = readPeftModules(folder);
	const inBase = countEnds(weightNames(config.model).map((name) => name.replace(/\.weight$/, '')));
	const adapted = countEnds(modules);
	return [...adapted].every(([end, count]) => inBase.get(end) === count) ? [...adapted.keys()] : modules;
}

function countEnds(names: readonly string[]): Map<string, number> {
	const counts = new Map<string, number>();
	for (const name of names) {
		const end = name.slice(name.lastIndexOf('.') + 1);
		counts.set(end, (counts.get(end) ?? 0) + 1);
	}
	return counts;
}

/** None where the base is not there or can't be read, which is said where it is opened. */
function weightNames(model: string): readonly string[] {
	try {
		const { names, close } = modelFiles(model).openWeights();
		close();
		return names.filter((name) => name.endsWith('.weight'));
	} catch (error) {
		if (error instanceof VulntuneError) return [];
		throw error;
	}
}
