import { createHash } from 'node:crypto';
import { canonicalJson, inputError, type ModelFingerprint } from '@vulntune/engine';
import { NEAR } from '../audit/duplicates.ts';
import { readProjects } from '../audit/projects.ts';
import type { Config } from '../config/schema.ts';

/**
 * What makes a run this one and no other, part by part. Two runs with equal parts give equal results; it is known from the
 * config, the dataset and the base, before anything is computed. Where model, data and output lie and what computes are not
 * in it.
 */
export type RunIdentity = Readonly<Record<string, string>>;

/** The parts that come from the base model. */
export const basePartNames = ['weights', 'config', 'tokenizer'] as const;

/** What each part is called in a message. */
const descriptions: Readonly<Record<string, string>> = {
	settings: 'another configuration',
	epochs: 'another number of epochs',
	dataset: 'another dataset',
	weights: 'other weights of the base model',
	config: 'another config.json of the base model',
	tokenizer: 'another tokenizer',
	start: 'another adapter to start from',
	projects: 'another file of projects',
	version: 'another version of vulntune',
	arithmetic: 'other kernels',
};

/** What a training run depends on besides its settings. */
export interface TrainingInputs {
	readonly datasetHash: string;
	/** undefined for methods without a base. */
	readonly base: ModelFingerprint | undefined;
	/** Hash of the adapter in `method.from`. */
	readonly start: string | undefined;
}

/** The identity of `vulntune train`. */
export function trainingIdentity(config: Config, { datasetHash, base, start }: TrainingInputs): RunIdentity {
	return {
		settings: sha256(canonicalJson(resultSettings(config))),
		epochs: String(config.training.epochs),
		dataset: datasetHash,
		...base,
		...(start === undefined ? {} : { start }),
		// whose rows a stacked score must not have seen
		...(config.method.stack === null ? {} : { projects: readProjects(config.data.projects).hash }),
	};
}

/**
 * The settings of a config that change results, epochs aside; what lies at its paths counts, not where. Checkpointing changes none;
 * earlier versions counted it, and its default then stands for all that it can be.
 */
export function resultSettings(config: Config): object {
	const {
		model: _model,
		output: _output,
		backend: _backend,
		training,
		data,
		method,
		loss,
		...settings
	} = config;
	const { checkpointEverySteps: _every, epochs: _epochs, checkpointing: _checkpointing, ...rest } = training;
	const { sequencesPerPass, optimizer, ...optimised } = rest;
	const trained = {
		...optimised,
		...(sequencesPerPass === 1 ? {} : { sequencesPerPass }),
		...(optimizer === 'adamw' ? {} : { optimizer }),
		checkpointing: false,
	};
	// what projects are called changes no result; options that are off are as good as none, so that runs of versions without them are known
	const { path: _path, projects: _projects, dropNearDuplicates, sample, sampleSeed, ...rows } = data;
	const reading = {
		...rows,
		...(dropNearDuplicates ? { dropNearDuplicates } : {}),
		...(sample === null ? {} : { sample, sampleSeed }),
	};
	const {
		from: _from,
		layersToTransform,
		bidirectionalLayers,
		stack,
		stackSimilarity,
		...everyBlock
	} = method;
	const trainedMethod = {
		...everyBlock,
		...(layersToTransform === null ? {} : { layersToTransform }),
		...(bidirectionalLayers === 0 ? {} : { bidirectionalLayers }),
		...(stack === null ? {} : { stack }),
		...(stack === null || stackSimilarity === NEAR ? {} : { stackSimilarity }),
	};
	const { pair, pairWeight, ...ofFunctions } = loss;
	const losses = pair === null ? ofFunctions : loss;
	return { ...settings, loss: losses, training: trained, data: reading, method: trainedMethod };
}

/** One text for the whole identity: the name of a grid's cell, and what environment.json keeps. */
export function identityHash(identity: RunIdentity): string {
	return sha256(canonicalJson(identity));
}

/**
 * Throws CHECKPOINT_OTHER_RUN where a checkpoint belongs to another run, and names the parts that differ: going on with it
 * would be neither run.
 *
 * @param found what the checkpoint holds as its identity; versions before 0.1.0 wrote one text
 * @param mayDiffer parts that may differ
 */
export function checkIdentity(
	found: RunIdentity | string,
	own: RunIdentity,
	place: string,
	mayDiffer: readonly string[] = [],
): asserts found is RunIdentity {
	if (typeof found === 'string') {
		throw otherRun('the checkpoint was made by an earlier version of vulntune', place);
	}
	const names = [...new Set([...Object.keys(own), ...Object.keys(found)])];
	const different = names.filter((name) => own[name] !== found[name] && !mayDiffer.includes(name));
	if (different.length === 0) return;
	const what = describeParts(different);
	const isBase = different.every((name) => basePartNames.some((part) => part === name));
	throw otherRun(`the checkpoint was made with ${what}`, place, isBase);
}

/** What differs where these parts of an identity do: `another dataset, another tokenizer`. */
export function describeParts(names: readonly string[]): string {
	return names.map((name) => descriptions[name] ?? `another ${name}`).join(', ');
}

function otherRun(message: string, place: string, isBase = false): Error {
	const allowing = isBase ? ', or go on with the other base by name (--allow-other-base)' : '';
	return inputError('CHECKPOINT_OTHER_RUN', message, {
		place,
		remedy: `Resume with the config.yaml of the run folder and unchanged base and data, start anew with --overwrite${allowing}.`,
	});
}

function sha256(text: string): string {
	return createHash('sha256').update(text).digest('hex');
}
