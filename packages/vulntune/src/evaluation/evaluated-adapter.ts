import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { adaptedModules, inputError, readPeftAdapter, readPeftPrefix } from '@vulntune/engine';
import { NGRAM_FILE } from '../baselines/ngram/file.ts';
import { resolveConfig } from '../config/load.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import { DESCRIPTION, type DetectorDescription, readDescription } from '../methods/description.ts';
import { readRunConfig } from '../run/run-config.ts';
import { type RunFolder, runFolder } from '../run/run-folder.ts';

/** What is scored with, and the config that says how. */
export interface EvaluatedAdapter {
	readonly config: Config;
	/** Folder of what was trained. */
	readonly adapter: string;
	/** undefined for an adapter that lies outside the run that made it. */
	readonly run: RunFolder | undefined;
}

/**
 * Finds what to evaluate at a location: a run folder, the adapter folder in one, or an adapter that was copied out of
 * its run with its vulntune.json, which then needs `data`.
 *
 * Throws RUN_NOT_FOUND, ADAPTER_UNDESCRIBED, USAGE where data are missing.
 *
 * @param overrides options of the config that are others here: where the base lies, what computes
 */
export function findAdapter(
	location: string,
	data: string | undefined,
	overrides: ConfigOverrides = {},
): EvaluatedAdapter {
	const run = runFolder(runRoot(location));
	if (existsSync(run.config)) {
		refusePretraining(run);
		const config = onOwnModel(readRunConfig(run, overrides), run.adapter);
		checkRecords(config, run);
		return { config, adapter: run.adapter, run };
	}
	const adapter = path.resolve(location);
	const value = describedConfig(adapter, data);
	const place = path.join(adapter, DESCRIPTION);
	const config = resolveConfig(value, { place, folder: adapter, overrides, isRecord: true });
	return { config: onOwnModel(config, adapter), adapter, run: undefined };
}

/** A run of `pretrain` has a model and no detector. */
function refusePretraining({ root, config }: RunFolder): void {
	if (!/^source:/m.test(readFileSync(config, 'utf8'))) return;
	throw inputError('RUN_NOT_FOUND', 'this is a run of pretrain, which made a base model and no detector', {
		place: root,
		remedy: 'Train one on it: vulntune train CONFIG --model MODEL, then evaluate that run.',
	});
}

/** Where all weights were trained, the base is what was trained: nothing outside its folder is needed. */
function onOwnModel(config: Config, adapter: string): Config {
	return config.method.type === 'full' ? { ...config, model: adapter } : config;
}

/** What scores depend on stands in a run's config and beside its adapter: where they differ, one was changed by hand. */
function checkRecords(config: Config, { adapter }: RunFolder): void {
	const description = readDescription(adapter);
	if (description === undefined) return;
	const {
		suffixLength: _suffix,
		leadingLength: _leading,
		causal: _causal,
		...sequence
	} = description.sequence;
	const { data, method, objective, nextToken, head } = config;
	const pairs: [key: string, inConfig: unknown, beside: unknown][] = [
		['data.collapseWhitespace', data.collapseWhitespace, description.collapseWhitespace],
		['method.type', method.type, description.method],
		['method.stack', method.stack, description.stack?.type ?? null],
		['objective', objective, description.objective],
		...Object.entries(objective === 'nextToken' ? description.nextToken : {}).map(
			([key, value]): [string, unknown, unknown] => [
				`nextToken.${key}`,
				nextToken[key as keyof typeof nextToken],
				value,
			],
		),
		...Object.entries(objective === 'class' ? description.head : {}).map(
			([key, value]): [string, unknown, unknown] => [`head.${key}`, head[key as keyof typeof head], value],
		),
		...Object.entries(sequence).map(([key, value]): [string, unknown, unknown] => [
			`sequence.${key}`,
			config.sequence[key as keyof Config['sequence']],
			value ?? null,
		]),
	];
	if (method.type === 'lora' || method.type === 'qlora') {
		const { config: lora } = readPeftAdapter(adapter);
		pairs.push(
			['method.rank', method.rank, lora.rank],
			['method.alpha', method.alpha, lora.alpha],
			['method.rsLora', method.rsLora, lora.rsLora],
			['method.bidirectionalLayers', method.bidirectionalLayers, description.bidirectionalLayers ?? 0],
		);
	}
	for (const [key, inConfig, beside] of pairs) {
		if (JSON.stringify(inConfig) === JSON.stringify(beside)) continue;
		throw inputError(
			'RUN_RECORDS',
			`the run's config says ${key}: ${JSON.stringify(inConfig)}, its adapter ${JSON.stringify(beside)}`,
			{ place: adapter, remedy: 'Put back the one that was changed after the run.' },
		);
	}
}

/** A run's folder where its adapter folder was named. */
function runRoot(location: string): string {
	const isAdapter = path.basename(path.resolve(location)) === 'adapter';
	return isAdapter ? path.dirname(path.resolve(location)) : location;
}

function describedConfig(adapter: string, data: string | undefined): ConfigInput {
	if (existsSync(path.join(adapter, NGRAM_FILE))) {
		const rows = requireData(adapter, data);
		return { model: 'none', data: { path: rows }, method: { type: 'ngram' }, output: adapter };
	}
	const description = readDescription(adapter);
	if (description !== undefined) return configOf(description, adapter, requireData(adapter, data));
	if (existsSync(path.join(adapter, 'adapter_config.json'))) {
		throw inputError(
			'ADAPTER_UNDESCRIBED',
			`the adapter has no ${DESCRIPTION}, which names its base model, head, sequences and threshold`,
			{
				place: adapter,
				remedy: `Copy ${DESCRIPTION} from the adapter folder of the run, or start a training from it with method.from.`,
			},
		);
	}
	const what = existsSync(adapter)
		? 'there is no run and no adapter in this folder'
		: 'there is no such folder';
	throw inputError('RUN_NOT_FOUND', what, {
		place: adapter,
		remedy: `Give the output folder of vulntune train (it has config.yaml and adapter/), or an adapter folder with ${DESCRIPTION}.`,
	});
}

function requireData(adapter: string, data: string | undefined): string {
	if (data !== undefined) return path.resolve(data);
	throw inputError('USAGE', 'an adapter outside its run needs --data', {
		place: adapter,
		remedy: `vulntune evaluate ${adapter} --data DATASET`,
	});
}

/** The options of a config that scores depend on, from what is written beside an adapter. */
function configOf(description: DetectorDescription, adapter: string, data: string): ConfigInput {
	const { method, base, doubleQuantization, model, bidirectionalLayers } = description;
	const {
		suffixLength: _suffix,
		leadingLength: _leading,
		causal: _causal,
		...sequence
	} = description.sequence;
	const { objective, nextToken, head, collapseWhitespace, precision, seed } = description;
	return {
		model,
		data: { path: data, collapseWhitespace },
		method: {
			...{ type: method, base: base as 'nf4', doubleQuantization, bidirectionalLayers },
			stack: description.stack?.type ?? null,
			...loraOf(method, adapter),
		},
		objective,
		nextToken,
		head,
		sequence: { ...sequence, windowStride: sequence.windowStride ?? null },
		training: { precision, seed },
		output: adapter,
	};
}

/** Rank, scale and targets, or the length of a prefix, from PEFT's files; the targets as the layers that have matrices. */
function loraOf(method: DetectorDescription['method'], adapter: string) {
	if (method === 'prefix') return { prefixLength: readPeftPrefix(adapter).prompt.shape[0]! };
	if (method !== 'lora' && method !== 'qlora') return {};
	const { config, matrices } = readPeftAdapter(adapter);
	const { rank, alpha, rsLora } = config;
	return { rank, alpha, rsLora, targets: adaptedModules(matrices.keys()) };
}

/** What to say where a run has nothing to score with. */
export function unfinishedRun(adapter: string): Error {
	return inputError('RUN_UNFINISHED', 'the run has no adapter yet: its first epoch is not finished', {
		place: adapter,
		remedy: 'Finish it with vulntune train … --resume.',
	});
}
