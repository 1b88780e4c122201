import { type Checkpointing, inputError, type ModelConfig, type Tokenizer } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { type Answers, answerBranches, encodeAnswers } from '../methods/answers.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import type { ScoringOptions } from './score-split.ts';
import { branchTokens, type PackTokens } from './split-data.ts';

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
			checkpointing: chosenCheckpointing(config.training.checkpointing),
		},
		packing: packingOf(config, tokens, model),
		windowCombination: config.sequence.windowCombination,
		tokens,
	};
}

/** What a config says of checkpointing; whether memory asks for it is known once there is a machine. */
export function chosenCheckpointing(setting: 'auto' | Checkpointing): Checkpointing {
	return setting === 'auto' ? false : setting;
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
	const seesAhead = !causal || config.method.bidirectionalLayers > 0;
	if (!seesAhead && config.objective === 'class' && config.head.pool === 'first') {
		throw inputError('HEAD_POOL', "a decoder's first token has seen nothing of the function but itself", {
			place: 'head.pool',
			remedy: 'Use last, mean, max or meanMax: only an encoder reads a function behind its first token.',
		});
	}
	if (length < leadingLength + suffixLength + 2) {
		throw inputError('SEQUENCE_TOO_SHORT', `the question alone takes ${suffixLength} of ${length} tokens`, {
			place: 'sequence.length',
			remedy: 'Use longer sequences or a shorter nextToken.prompt.',
		});
	}
	// a prefix of the method's own stands where a common beginning would
	const { type, bidirectionalLayers } = config.method;
	// neither does a beginning stay the same where a block sees what follows
	const around = {
		leadingLength,
		suffixLength,
		causal: causal && type !== 'prefix' && bidirectionalLayers === 0,
	};
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
