import { quantizedTypes } from '@vulntune/engine/quantize/types.ts';
import { z } from 'zod';
import { pairLossKinds } from '../objectives/pair-loss-kinds.ts';
import { backend } from './backend-schema.ts';
import type { Needs } from './option-facts.ts';
import { facts, section, wholeNumber } from './schema-parts.ts';

/**
 * The config of a training run. The one source of the TypeScript type, the YAML check, the command line flags, the JSON Schema
 * and the docs: an option is added here and nowhere else.
 */

export const floatBases = ['fp32', 'bf16'] as const;

// where options have a meaning
const withModel: Needs = { 'method.type': ['qlora', 'lora', 'prefix', 'full', 'head'] };
const withAdapters: Needs = { 'method.type': ['qlora', 'lora'] };
const withStackable: Needs = { ...withModel, objective: ['class'] };
const inPacks: Needs = { 'sequence.packing': ['isolated', 'leaky'] };
const inWindows: Needs = { 'sequence.largeFunctions': ['window'] };
const withFocal: Needs = { 'loss.type': ['focal'] };

const weight = z.number().positive();
const share = z.number().min(0).max(1);
const perClass = z.tuple([weight, weight]);

const data = z.strictObject({
	path: z.string().min(1).describe('folder or .tar.gz with train.jsonl, valid.jsonl and test.jsonl'),
	collapseWhitespace: z
		.boolean()
		.default(true)
		.describe('every run of white space becomes one space, ends trimmed'),
	onBadRow: z
		.enum(['error', 'skip'])
		.default('error')
		.describe('a row without code or label, or with a broken line: an error, or left out and counted'),
	projects: z
		.string()
		.min(1)
		.nullable()
		.default(null)
		.describe(
			'JSON file with the project of each commit, for rows without a repo: {"5e1c…": "apache/tomcat"}',
		),
	dropNearDuplicates: z
		.boolean()
		.default(false)
		.describe('leave out rows that are near-duplicates of rows in a later split; test stays whole'),
	sample: z
		.union([z.number().positive().max(1), z.record(z.string(), share)])
		.nullable()
		.default(null)
		.describe(
			'learn from a share of the training rows, those of a commit together; or of the rows of a status: {NOT_VULNERABLE: 0.1}',
		),
	sampleSeed: wholeNumber(0)
		.default(1)
		.describe('which rows data.sample draws; a smaller share is a part of a larger one'),
});

const method = z.strictObject({
	type: z
		.enum(['qlora', 'lora', 'prefix', 'full', 'head', 'ngram'])
		.describe(
			'what is trained: adapters on a quantised or plain base, a prefix, all, the head; or n-grams, without a model',
		),
	prefixLength: wholeNumber(1)
		.default(20)
		.describe('keys and values in front of every function, in each block of a decoder')
		.meta(facts({ needs: { 'method.type': ['prefix'] } })),
	base: z
		.enum([...quantizedTypes, ...floatBases])
		.optional()
		.describe(
			'storage of the base; default nf4 (qlora), bf16, or fp32; quantilek: k bits by equation (1), normalk: k bits as NF4 is made',
		)
		.meta(facts({ needs: withModel })),
	doubleQuantization: z
		.boolean()
		.default(true)
		.describe('the scales of the base are quantised too')
		.meta(facts({ needs: { 'method.type': ['qlora'], 'method.base': ['nf4', 'fp4', null] } })),
	rank: wholeNumber(1)
		.default(8)
		.describe('rank of each adapter pair')
		.meta(facts({ needs: withAdapters })),
	alpha: z
		.number()
		.positive()
		.default(32)
		.describe('an adapter counts alpha / rank')
		.meta(facts({ needs: withAdapters })),
	dropout: z
		.number()
		.min(0)
		.lt(1)
		.default(0.05)
		.describe('share of an adapter input that is dropped')
		.meta(facts({ needs: withAdapters })),
	targets: z
		.union([z.enum(['attention', 'all-linear']), z.array(z.string().min(1)).min(1)])
		.default('all-linear')
		.describe('linear layers that get an adapter: a preset or a list of name patterns')
		.meta(facts({ needs: withAdapters })),
	layersToTransform: z
		.array(wholeNumber(0))
		.min(1)
		.nullable()
		.default(null)
		.describe(
			'blocks that get adapters, counted from 0; null for all. What lies below the lowest is computed once, its states kept on disk',
		)
		.meta(facts({ needs: withAdapters })),
	bidirectionalLayers: wholeNumber(0)
		.default(0)
		.describe(
			"last blocks of a decoder in which a token also sees those after it (LLM2Vec's bidirectional attention)",
		)
		.meta(facts({ needs: withAdapters })),
	rsLora: z
		.boolean()
		.default(false)
		.describe('an adapter counts alpha / sqrt(rank) instead')
		.meta(facts({ needs: withAdapters })),
	from: z
		.string()
		.min(1)
		.nullable()
		.default(null)
		.describe(
			'adapter or run to start from: rank, alpha, rsLora, targets, base type and head are its own, and may only be given the same',
		)
		.meta(facts({ needs: withAdapters })),
	stack: z
		.enum(['ngram'])
		.nullable()
		.default(null)
		.describe(
			'ngram: the head also sees the score of the n-gram baseline, of a training row from a fit without its project',
		)
		.meta(facts({ needs: withStackable })),
	stackSimilarity: z
		.number()
		.min(0.5)
		.max(1)
		.default(0.9)
		.describe(
			"Jaccard similarity from which on a training row's near-duplicates are kept from the n-grams that score it",
		)
		.meta(facts({ needs: { 'method.stack': ['ngram'] } })),
});

const nextToken = section({
	prompt: z
		.string()
		.default('\nIs this function vulnerable? Answer YES or NO.\nAnswer:')
		.describe('text between the function and the answer'),
	positive: z
		.string()
		.min(1)
		.default(' YES')
		.describe('the answer for vulnerable, in tokens as it follows the prompt; all of them are scored'),
	negative: z.string().min(1).default(' NO').describe('the answer for not vulnerable, likewise'),
});

const head = section({
	pool: z
		.enum(['last', 'first', 'mean', 'max', 'meanMax'])
		.default('last')
		.describe(
			"which of a function's hidden states the head sees: one, the mean or maximum of all, or both one behind the other",
		),
	hidden: wholeNumber(1)
		.nullable()
		.default(null)
		.describe('size of a hidden layer with tanh in the head; null for none'),
	bias: z.boolean().default(false).describe('each class has a bias, as in the heads of BERT and RoBERTa'),
});

const sequence = section({
	length: wholeNumber(2).default(512).describe('tokens of a sequence, separators included'),
	packing: z
		.enum(['isolated', 'leaky', 'none'])
		.default('isolated')
		.describe('several functions a sequence: each seeing itself alone, or all before it; or one a sequence'),
	order: z
		.enum(['bestFit', 'arrival'])
		.default('bestFit')
		.describe("which functions share a sequence: best fit, or as they come (the paper's)")
		.meta(facts({ needs: inPacks })),
	maxFunctions: wholeNumber(1)
		.default(200)
		.describe('functions a sequence holds at most')
		.meta(facts({ needs: inPacks })),
	largeFunctions: z
		.enum(['ignore', 'truncate', 'window'])
		.default('ignore')
		.describe(
			'functions longer than a sequence: left out of training, cut to their head, or split into windows',
		),
	windowStride: wholeNumber(1)
		.nullable()
		.default(null)
		.describe('tokens from one window to the next; null for half a window')
		.meta(facts({ needs: inWindows })),
	windowCombination: z
		.enum(['mean', 'max'])
		.default('mean')
		.describe("how the scores of a function's windows become its score")
		.meta(facts({ needs: inWindows })),
	sharePrefixes: z
		.boolean()
		.default(false)
		.describe(
			'what functions begin with alike is computed once in training too, in sequences of up to twice the length; scoring always does so',
		),
});

const loss = section({
	type: z
		.enum(['focal', 'crossEntropy'])
		.default('focal')
		.describe('loss of each function; crossEntropy is focal with gamma 0'),
	gamma: z
		.number()
		.min(0)
		.default(1)
		.describe('how much an easy function counts less')
		.meta(facts({ needs: withFocal })),
	alpha: z
		.union([z.number().min(0).max(1), perClass])
		.nullable()
		.default(null)
		.describe('weight of class 0 (class 1 has the rest), or [class 0, class 1]')
		.meta(facts({ needs: withFocal })),
	gradient: z
		.enum(['full', 'detached'])
		.default('full')
		.describe("whole derivative, or with (1 - p)^gamma held constant as the paper's code has it")
		.meta(facts({ needs: withFocal })),
	reduction: z
		.enum(['sum', 'mean'])
		.default('sum')
		.describe('over the functions of a sequence; a step takes the mean of its sequences'),
	classWeights: perClass.nullable().default(null).describe('weights of [not vulnerable, vulnerable]'),
	pair: z
		.enum(pairLossKinds)
		.nullable()
		.default(null)
		.describe(
			'also learn from a function and its fix together: rank the vulnerable one higher, or part their states',
		)
		.meta(facts({ needs: { objective: ['class'] } })),
	pairWeight: weight
		.default(1)
		.describe('weight of the loss of a pair beside those of its two functions')
		.meta(facts({ needs: { 'loss.pair': [...pairLossKinds] } })),
	statusWeights: z
		.record(z.string(), weight)
		.nullable()
		.default(null)
		.describe('weights by the status of a row: {VULNERABLE: 3, FIXED: 3, NOT_VULNERABLE: 1}'),
});

const training = section({
	epochs: wholeNumber(1)
		.default(15)
		.describe(
			'passes over the training rows; --resume with more extends a finished run, its schedule starting anew',
		),
	optimizer: z
		.enum(['adamw', 'adamw8bit'])
		.default('adamw')
		.describe('adamw8bit keeps AdamW’s two moments in 8 bits: 2 bytes a trained weight in place of 8'),
	learningRate: z.number().positive().default(1e-4).describe('highest learning rate'),
	schedule: z
		.enum(['cosine', 'linear', 'constant'])
		.default('cosine')
		.describe('how the learning rate falls after the warm-up'),
	warmupSteps: wholeNumber(0)
		.default(2)
		.describe(
			'optimiser steps in which the learning rate rises from 0; a run of no more steps than that has a shorter one',
		),
	weightDecay: z
		.number()
		.min(0)
		.default(0.05)
		.describe('decoupled weight decay of AdamW; of matrices only, norms and biases do not decay'),
	accumulation: wholeNumber(1).default(16).describe('sequences per optimiser step'),
	sequencesPerPass: wholeNumber(1).default(1).describe('of these, how many go through the model at once'),
	clipNorm: z
		.number()
		.positive()
		.nullable()
		.default(1)
		.describe('largest gradient norm; null for no clipping'),
	precision: z
		.enum(['bf16', 'fp32', 'int8'])
		.default('bf16')
		.describe(
			'arithmetic of the matrix products; int8: 8 bits for those with the frozen base, however it is stored, bf16 for all others',
		),
	checkpointing: z
		.union([z.literal('auto'), z.literal('host'), z.boolean()])
		.default('auto')
		.describe(
			"one block's activations at a time, a third more computation; host: what enters a card's blocks in host memory; auto: as memory asks",
		),
	seed: wholeNumber(0)
		.default(1)
		.describe('of initial weights, dropout and order, and of the resampling behind intervals')
		.meta(facts({ needs: null })),
	earlyStopping: wholeNumber(1)
		.nullable()
		.default(null)
		.describe('stop after this many epochs without a better validation ROC AUC; null for never'),
	checkpointEverySteps: wholeNumber(1)
		.nullable()
		.default(50)
		.describe('optimiser steps between checkpoints; null for one per epoch'),
});

export const configSchema = z.strictObject({
	model: z
		.string()
		.min(1)
		.describe(
			'the base: a folder in Hugging Face layout, plain or quantised (bitsandbytes, GPTQ, AWQ), a GGUF file, or a name on a hub',
		),
	data: data.describe('the rows'),
	method: method.describe('how the base is fine-tuned'),
	objective: z
		.enum(['class', 'nextToken'])
		.default('class')
		.describe('class: a head on the function; nextToken: the answer YES against NO'),
	nextToken: nextToken
		.describe('the question of the nextToken objective')
		.meta(facts({ needs: { ...withModel, objective: ['nextToken'] } })),
	head: head
		.describe('the classification head')
		.meta(facts({ needs: { ...withModel, objective: ['class'] } })),
	sequence: sequence.describe('how functions become sequences').meta(facts({ needs: withModel })),
	loss: loss.describe('the loss').meta(facts({ needs: withModel })),
	training: training.describe('the optimiser and its schedule').meta(facts({ needs: withModel })),
	backend: backend.describe('what computes; a bare word is the type; n-grams need none'),
	output: z
		.string()
		.min(1)
		.optional()
		.describe('run folder, relative to the working folder; by default runs/<date>-<name of the config>'),
});

/** A config whose options all have a value of the right kind; `base` and `output` may still be open. */
export type ParsedConfig = z.output<typeof configSchema>;
export type MethodBase = NonNullable<ParsedConfig['method']['base']>;

export type DeepReadonly<T> = T extends object ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> } : T;

/** A config as the rest of the project takes it: every option has its value, paths are absolute. */
export type Config = DeepReadonly<
	Omit<ParsedConfig, 'method' | 'output'> & {
		method: Omit<ParsedConfig['method'], 'base'> & { base: MethodBase };
		output: string;
	}
>;

/** What a config file holds: options with a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
