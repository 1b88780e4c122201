import { z } from 'zod';
import { backend } from '../config/backend-schema.ts';
import type { DeepReadonly } from '../config/schema.ts';
import { facts, section, wholeNumber } from '../config/schema-parts.ts';

/** The config of a pretraining run, in the manner of `config/schema.ts`: types, checks, flags and docs come from it. */

const generated = { 'source.type': ['generated'] };

const source = z.strictObject({
	type: z
		.enum(['folder', 'jsonl', 'generated'])
		.describe("what to learn from: source files, rows with code, or the demo's generated functions"),
	path: z
		.string()
		.min(1)
		.nullable()
		.default(null)
		.describe('folder of source files, or JSONL file whose lines have a code'),
	extensions: z
		.array(z.string().min(2))
		.min(1)
		.default(['.java', '.c', '.h', '.cc', '.cpp', '.hpp', '.cs', '.go', '.js', '.ts', '.py', '.php', '.rs'])
		.describe('endings of the files that are read')
		.meta(facts({ needs: { 'source.type': ['folder'] } })),
	functions: wholeNumber(2)
		.default(20_000)
		.describe('how many functions')
		.meta(facts({ needs: generated })),
	seed: wholeNumber(0)
		.default(1)
		.describe('of the generated functions')
		.meta(facts({ needs: generated })),
	collapseWhitespace: z
		.boolean()
		.default(true)
		.describe('every run of white space becomes one space, ends trimmed'),
	validationShare: z
		.number()
		.positive()
		.max(0.5)
		.default(0.02)
		.describe('share of the documents that only measure the loss'),
});

const model = section({
	vocabularySize: wholeNumber(257).default(4096).describe('rows of the embedding'),
	hiddenSize: wholeNumber(2).default(256).describe('width of the hidden states'),
	intermediateSize: wholeNumber(1).default(704).describe('width inside the gated network'),
	layers: wholeNumber(1).default(6).describe('number of blocks'),
	heads: wholeNumber(1).default(8).describe('attention heads'),
	keyValueHeads: wholeNumber(1).default(4).describe('heads for keys and values'),
	maxPositions: wholeNumber(2).default(1024).describe('longest sequence that the model is meant for'),
	ropeTheta: z.number().positive().default(10_000).describe('base of the rotary angles'),
	tieWordEmbeddings: z.boolean().default(true).describe('the output matrix is the embedding'),
	storage: z.enum(['bf16', 'fp32']).default('bf16').describe('type of the weights in the saved model'),
});

const tokenizer = section({
	from: z
		.string()
		.min(1)
		.nullable()
		.default(null)
		.describe('folder with a tokenizer.json; null trains a byte-level BPE on the documents'),
});

const sequence = section({
	length: wholeNumber(4).default(512).describe('tokens of a sequence; longer documents are cut'),
});

const training = section({
	epochs: wholeNumber(1).default(1).describe('passes over the documents'),
	steps: wholeNumber(1).nullable().default(null).describe('optimiser steps, instead of epochs'),
	learningRate: z.number().positive().default(1e-3).describe('highest learning rate'),
	schedule: z
		.enum(['cosine', 'linear', 'constant'])
		.default('cosine')
		.describe('how the learning rate falls after the warm-up'),
	warmupSteps: wholeNumber(0)
		.default(50)
		.describe(
			'optimiser steps in which the learning rate rises from 0; a run of no more steps than that has a shorter one',
		),
	weightDecay: z
		.number()
		.min(0)
		.default(0.1)
		.describe('decoupled weight decay of AdamW; of matrices only, norms and biases do not decay'),
	accumulation: wholeNumber(1).default(8).describe('sequences per optimiser step'),
	clipNorm: z
		.number()
		.positive()
		.nullable()
		.default(1)
		.describe('largest gradient norm; null for no clipping'),
	precision: z.enum(['bf16', 'fp32']).default('bf16').describe('arithmetic of the matrix products'),
	checkpointing: z
		.union([z.literal('host'), z.boolean()])
		.default(false)
		.describe(
			'keep one block’s activations at a time: less memory, a third more computation; host: what enters blocks in this machine’s memory',
		),
	seed: wholeNumber(0).default(1).describe('of initial weights, order and held-out documents'),
	validateEverySteps: wholeNumber(1)
		.nullable()
		.default(100)
		.describe('optimiser steps between measurements of the validation loss; null for one at the end'),
	checkpointEverySteps: wholeNumber(1)
		.nullable()
		.default(100)
		.describe('optimiser steps between checkpoints; null for one at the end'),
});

export const pretrainConfigSchema = z.strictObject({
	source: source.describe('the documents'),
	model: model.describe('the shape of the model, of the Llama family'),
	tokenizer: tokenizer.describe('the tokenizer'),
	sequence: sequence.describe('how documents become sequences'),
	training: training.describe('the optimiser and its schedule'),
	backend: backend.describe('what computes; a bare word is the type'),
	output: z
		.string()
		.min(1)
		.optional()
		.describe('run folder, relative to the working folder; by default runs/<date>-<name of the config>'),
});

export type ParsedPretrainConfig = z.output<typeof pretrainConfigSchema>;

/** A config of which every option has its value and all paths are absolute. */
export type PretrainConfig = DeepReadonly<Omit<ParsedPretrainConfig, 'output'> & { output: string }>;
