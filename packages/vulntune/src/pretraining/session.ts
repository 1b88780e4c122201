import { createHash } from 'node:crypto';
import { canonicalJson, type ModelConfig } from '@vulntune/engine';
import type { RunIdentity } from '../run/identity.ts';
import type { PretrainConfig } from './config-schema.ts';
import { readDocuments } from './documents.ts';
import { modelConfigJson, toModelConfig } from './model-config.ts';
import type { PretrainData, PretrainSettings } from './pretraining-task.ts';
import { type PretrainTokenizer, prepareTokenizer } from './tokenizer.ts';

/** All of a run that needs no kernel. */
export interface PretrainSession {
	readonly tokenizer: PretrainTokenizer;
	readonly modelConfig: ModelConfig;
	readonly modelConfigJson: object;
	readonly data: PretrainData;
	readonly dataHash: string;
	readonly settings: PretrainSettings;
	readonly identity: RunIdentity;
}

/** Reads the documents of a config, makes its tokenizer and turns the documents into tokens. */
export function preparePretraining(config: PretrainConfig, note: (line: string) => void): PretrainSession {
	const { source, model, training } = config;
	const { train, valid, hash } = readDocuments(source, training.seed, note);
	if (config.tokenizer.from === null) note(`training a tokenizer on ${train.length} documents`);
	const tokenizer = prepareTokenizer(config.tokenizer.from, train, model.vocabularySize);
	const encode = (text: string) => tokenizer.tokenizer.encode(text);
	const json = modelConfigJson(config, tokenizer.tokenizer, tokenizer.separator);
	return {
		tokenizer,
		modelConfigJson: json,
		modelConfig: toModelConfig(json),
		data: { train: train.map(encode), valid: valid.map(encode), separator: tokenizer.separator },
		dataHash: hash,
		settings: settingsOf(config),
		identity: identityOf(config, hash, tokenizer.tokenizer.hash),
	};
}

function settingsOf({ training, sequence }: PretrainConfig): PretrainSettings {
	const { steps, epochs, accumulation, schedule, learningRate, warmupSteps, weightDecay, clipNorm, seed } =
		training;
	return {
		steps,
		epochs,
		accumulation,
		sequenceLength: sequence.length,
		schedule: { schedule, learningRate, warmupSteps },
		optimizer: { weightDecay, clipNorm },
		seed,
		validateEverySteps: training.validateEverySteps,
		checkpointEverySteps: training.checkpointEverySteps,
	};
}

/** The settings that change results, the documents and the tokenizer; paths and devices are left out. */
function identityOf(config: PretrainConfig, dataset: string, tokenizer: string): RunIdentity {
	const { checkpointEverySteps: _every, ...training } = config.training;
	const settings = canonicalJson({ model: config.model, sequence: config.sequence, training });
	return { settings: createHash('sha256').update(settings).digest('hex'), dataset, tokenizer };
}
