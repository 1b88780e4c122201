import {
	type Backend,
	checkTokenIds,
	inputError,
	type ModelConfig,
	type ModelFolder,
	type PeftAdapter,
	type Tokenizer,
} from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { type Dataset, loadDataset, type SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { tokenizeRows } from '../data/tokenize.ts';
import { createDetector, type Detector, type MethodOptions } from '../methods/detector.ts';
import type { Base } from '../model/open-base.ts';
import { type Answers, answerBranches, encodeAnswers } from '../objectives/answers.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import type { ScoringOptions } from './score-split.ts';
import { branchTokens, type PackTokens, type SplitData, splitData } from './split-data.ts';

/** A config's data, tokenised: all of a run that needs no kernel. */
export interface PreparedData {
	readonly dataset: Dataset;
	readonly splits: Readonly<Record<SplitName, SplitData>>;
	readonly tokenizer: Tokenizer;
	readonly scoring: ScoringOptions;
}

/** Reads the dataset of a config and tokenises its rows. */
export async function prepareData(
	config: Config,
	{ folder, tokenizer }: Pick<Base, 'tokenizer'> & { readonly folder: Pick<Base['folder'], 'config'> },
): Promise<PreparedData> {
	// what is wrong with the question or the length is said before the rows are read
	const scoring = scoringOf(config, tokenizer, folder.config);
	const dataset = await loadDataset(config.data.path, { onBadRow: config.data.onBadRow });
	checkStatusWeights(config, dataset);
	const tokenized = (split: SplitName) =>
		tokenizedSplit(config, dataset.splits[split], tokenizer, folder.config);
	const splits = {
		train: await tokenized('train'),
		valid: await tokenized('valid'),
		test: await tokenized('test'),
	};
	return { dataset, splits, tokenizer, scoring };
}

/** Rows with their tokens (kept between runs) and loss weights. Throws TOKENIZER_MODEL for one that the model has no embedding of. */
export async function tokenizedSplit(
	config: Config,
	rows: readonly FunctionRow[],
	tokenizer: Tokenizer,
	model: Pick<ModelConfig, 'vocabularySize'>,
): Promise<SplitData> {
	const { collapseWhitespace } = config.data;
	const options = { collapseWhitespace, cacheFolder: defaultTokenCacheFolder() };
	const tokens = await tokenizeRows(rows, tokenizer, options);
	tokens.forEach((ids, index) => {
		checkTokenIds(ids, tokenizer, model, `function ${rows[index]!.id}`);
	});
	return splitData(rows, tokens, config.loss);
}

/** A weight for a status that no training row has would have no effect: a misspelling. */
function checkStatusWeights(config: Config, dataset: Dataset): void {
	const statuses = new Set(dataset.splits.train.map((row) => row.status));
	const unknown = Object.keys(config.loss.statusWeights ?? {}).filter((status) => !statuses.has(status));
	if (unknown.length === 0) return;
	const present = [...statuses].filter((status) => status !== undefined);
	throw inputError('STATUS_UNKNOWN', `no training row has the status ${unknown.join(', ')}`, {
		place: 'loss.statusWeights',
		remedy: present.length === 0 ? 'The rows have no status.' : `The rows have ${present.join(', ')}.`,
	});
}

/** How packs are made and scored under a config. */
export function scoringOf(config: Config, tokenizer: Tokenizer, model: ModelConfig): ScoringOptions {
	const answers = answersOf(config, tokenizer);
	const tokens = packTokens(tokenizer, answers, model);
	return {
		pass: {
			objective: answers === undefined ? classObjective : nextTokenObjective(answers),
			precision: config.training.precision,
			focal: {
				gamma: config.loss.type === 'focal' ? config.loss.gamma : 0,
				gradient: config.loss.gradient,
			},
			checkpointing: config.training.checkpointing,
		},
		packing: packingOf(config, tokens, model),
		windowCombination: config.sequence.windowCombination,
		tokens,
	};
}

/** What the next-token objective of a config asks, in a tokenizer's tokens; undefined for the class objective. */
export function answersOf(
	{ objective, nextToken }: Pick<Config, 'objective' | 'nextToken'>,
	tokenizer: Pick<Tokenizer, 'encode'>,
): Answers | undefined {
	return objective === 'class' ? undefined : encodeAnswers((text) => tokenizer.encode(text), nextToken);
}

/** An encoder has read every text behind a token of its own (`<s>`). */
function leadingTokens(tokenizer: Tokenizer, { causal }: ModelConfig): number[] {
	if (causal) return [];
	const { bosTokenId } = tokenizer;
	if (bosTokenId !== undefined) return [bosTokenId];
	throw inputError('TOKENIZER_LEADING', 'the tokenizer names no token that a text begins with', {
		place: tokenizer.place,
		remedy: 'Name a bos_token in tokenizer_config.json.',
	});
}

function packTokens(tokenizer: Tokenizer, answers: Answers | undefined, model: ModelConfig): PackTokens {
	const separator = tokenizer.separatorId;
	if (separator === undefined) {
		throw inputError('TOKENIZER_SEPARATOR', 'the tokenizer has no end token to close a function with', {
			place: tokenizer.place,
			remedy: 'Name a token of tokenizer.json as eos_token in tokenizer_config.json.',
		});
	}
	const leading = leadingTokens(tokenizer, model);
	if (answers === undefined) return { leading, separator, suffix: [] };
	return { leading, separator, suffix: answers.question, branches: answerBranches(answers) };
}

function packingOf(config: Config, tokens: PackTokens, { causal }: ModelConfig): PackingOptions {
	const { length, packing, order, maxFunctions, largeFunctions, windowStride, sharePrefixes } =
		config.sequence;
	const leadingLength = tokens.leading.length;
	const suffixLength = tokens.suffix.length + branchTokens(tokens);
	if (branchTokens(tokens) > 0) refuseBranches(config);
	if (sharePrefixes && !causal) {
		throw inputError('PREFIXES_NOT_CAUSAL', "an encoder's states depend on what follows: nothing is shared", {
			place: 'sequence.sharePrefixes',
			remedy: 'Leave it out: only a decoder computes what functions begin with once.',
		});
	}
	if (length < leadingLength + suffixLength + 2) {
		throw inputError('SEQUENCE_TOO_SHORT', `the question alone takes ${suffixLength} of ${length} tokens`, {
			place: 'sequence.length',
			remedy: 'Use longer sequences or a shorter nextToken.prompt.',
		});
	}
	const around = { leadingLength, suffixLength, causal };
	return { length, packing, order, maxFunctions, largeFunctions, windowStride, ...around, sharePrefixes };
}

/** An answer of several tokens stands behind its function alone, and sees one stretch before it. */
function refuseBranches({ sequence: { sharePrefixes, packing } }: Config): void {
	if (!sharePrefixes && packing !== 'leaky') return;
	const place = sharePrefixes ? 'sequence.sharePrefixes' : 'sequence.packing';
	const message = sharePrefixes
		? 'prefixes can be shared only where both answers of nextToken are one token'
		: 'a leaky pack can be asked only for answers of nextToken that are one token each';
	throw inputError('ANSWER_TOKENS', message, {
		place,
		remedy: `Choose nextToken.positive and nextToken.negative of one token each, or ${sharePrefixes ? 'leave sharePrefixes out' : 'isolated packing'}.`,
	});
}

/** The method of a config. Throws METHOD_UNAVAILABLE for those that train no transformer here. */
export function methodOf(config: Config): MethodOptions {
	const { type, rank, alpha, dropout, targets, rsLora } = config.method;
	if (type === 'qlora' || type === 'lora') {
		return { type, lora: { rank, alpha, dropout, targets, rsLora } };
	}
	if (type === 'full' || type === 'head') return { type };
	throw inputError('METHOD_UNAVAILABLE', `the method ${type} is not in this version`, {
		place: 'method.type',
		remedy: 'Use qlora, lora, full, head or ngram.',
	});
}

/**
 * Loads the base model of a config and what is trained on it.
 *
 * @param start the adapter whose matrices it begins with, instead of fresh ones
 */
export function createDetectorOf(
	config: Config,
	backend: Backend,
	folder: ModelFolder,
	start?: PeftAdapter,
): Detector {
	return createDetector(backend, folder, {
		method: methodOf(config),
		base: config.method.base,
		doubleQuantization: config.method.doubleQuantization,
		head: config.objective === 'class' ? config.head : undefined,
		maxPositions: config.sequence.length,
		seed: config.training.seed,
		start,
	});
}
