import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import type { CommandContext, CommandResult } from '../cli/context.ts';
import type { CommandDefinition } from '../cli/program.ts';
import { addFlags, readFlags } from '../cli/schemaFlags.ts';
import { backendTypes } from '../config/schema.ts';

const count = () => z.int().min(1);

const flags = z.strictObject({
	output: z.string().min(1).describe('folder for the model, in Hugging Face layout'),
	vocabularySize: z
		.int()
		.min(257)
		.default(4096)
		.describe('tokens of the byte-level tokenizer that is trained first'),
	layers: count().default(6).describe('blocks'),
	hiddenSize: count().default(256).describe('width of the hidden states'),
	intermediateSize: count().default(704).describe('width inside the MLP'),
	heads: count().default(8).describe('attention heads'),
	keyValueHeads: count().default(4).describe('heads for keys and values'),
	length: z.int().min(2).default(512).describe('tokens of a sequence'),
	epochs: count().default(1).describe('passes over the corpus'),
	maxSteps: count().optional().describe('stop after this many optimiser steps'),
	accumulation: count().default(8).describe('sequences per optimiser step'),
	learningRate: z.number().positive().default(1e-3).describe('highest learning rate'),
	warmupSteps: z.int().min(0).default(50).describe('optimiser steps in which the learning rate rises from 0'),
	weightDecay: z.number().min(0).default(0.1).describe('decoupled weight decay of AdamW'),
	clipNorm: z.number().positive().default(1).describe('largest gradient norm'),
	validationShare: z
		.number()
		.min(0)
		.lt(1)
		.default(0.02)
		.describe('share of the files that only measure the loss'),
	collapseWhitespace: z.boolean().default(true).describe('keep white space as it is in the files'),
	precision: z.enum(['bf16', 'fp32']).default('bf16').describe('arithmetic of the matrix products'),
	backend: z.enum(backendTypes).default('auto').describe('where the kernels run'),
	threads: z
		.union([z.literal('auto'), count()])
		.default('auto')
		.describe('of the cpu backend'),
	seed: z.int().min(0).default(1).describe('of initial weights and order'),
	overwrite: z.boolean().default(false).describe('replace what is in the output folder'),
});

export type PretrainRequest = { readonly corpus: string } & Readonly<z.output<typeof flags>>;

/** `vulntune pretrain`; `pretrain` is what does the work. */
export function pretrainCommand(
	pretrain: (request: PretrainRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('pretrain')
			.summary('make a small base model from source code')
			.description(
				'Train a tokenizer and a small model of the Llama family on source code, by next-token prediction.',
			)
			.argument('<corpus>', 'folder of source files')
			.addHelpText(
				'after',
				`
Examples:
  vulntune pretrain path/to/sources --output models/small
  vulntune pretrain path/to/sources --output models/small --layers 8 --hidden-size 384 --heads 6 --key-value-heads 3`,
			);
		addFlags(command, flags);
		command.action(async (corpus: string) => {
			const request = { corpus, ...readFlags(flags, command.opts()) };
			checkShape(request);
			await run((context) => pretrain(request, context));
		});
	};
}

function checkShape({ hiddenSize, heads, keyValueHeads }: PretrainRequest): void {
	if (hiddenSize % heads !== 0 || (hiddenSize / heads) % 2 !== 0) {
		throw inputError(
			'USAGE',
			`--hidden-size: expected an even size per head, found ${hiddenSize} for ${heads} heads`,
		);
	}
	if (heads % keyValueHeads !== 0) {
		throw inputError(
			'USAGE',
			`--key-value-heads: expected a divisor of ${heads} heads, found ${keyValueHeads}`,
		);
	}
}
