import { quantizedTypes } from '@vulntune/engine/quantize/types.ts';
import type { Command } from 'commander';
import { z } from 'zod';
import type { ConfigOverrides } from '../config/overrides.ts';
import { trainingConfig } from '../config/training-config.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { backendOptions, backendOverrides } from './backend-flags.ts';
import { movedBaseFlag, otherBaseFlag } from './base-flags.ts';
import { downloadFlag } from './fetch-model.ts';
import type { CommandDefinition, CommandRunner } from './program.ts';
import { addConfigFlags, addFlags, readFlags } from './schema-flags.ts';

const quantizeFlags = z.strictObject({
	type: z
		.enum(quantizedTypes)
		.describe(
			"how weights are stored; quantilek: k bits by the paper's equation (1); normalk: k bits as NF4 is made",
		),
	output: z.string().min(1).describe('folder for the quantised model'),
	double: z.boolean().default(true).describe('keep the scales of nf4 and fp4 in full precision'),
	overwrite: z.boolean().default(false).describe('replace what is in the output folder'),
	download: downloadFlag,
});

const infoFlags = z.strictObject({
	model: z
		.string()
		.min(1)
		.optional()
		.describe(
			'of an adapter: folder of its base model, where it lies elsewhere than when the adapter was made',
		),
	allowOtherBase: otherBaseFlag('of an adapter: exit with 0 though the base is another than it was made on'),
	length: z
		.int()
		.min(1)
		.optional()
		.describe('of a model: tokens of the sequences for which fine-tuning is estimated; by default 512'),
	download: downloadFlag,
});

export interface InfoRequest {
	/** A model, an adapter, or a run. */
	readonly location: string;
	readonly model?: string | undefined;
	readonly allowOtherBase: boolean;
	readonly length?: number | undefined;
	readonly download: boolean;
}

export type QuantizeRequest = { readonly model: string } & Readonly<z.output<typeof quantizeFlags>>;

const sourceFlags = {
	model: movedBaseFlag,
	allowOtherBase: otherBaseFlag('take the base though it is another than the adapter was made on'),
	compare: z
		.int()
		.min(0)
		.default(4)
		.describe('functions whose logits are compared with the detector; 0 for none'),
	overwrite: z.boolean().default(false).describe('replace what is at the output'),
};

const mergeFlags = z.strictObject({
	output: z.string().min(1).describe('folder for the merged model'),
	type: z.enum(['fp32', 'bf16', 'f16']).default('fp32').describe('in what the weights are written'),
	...sourceFlags,
});

const exportFlags = z.strictObject({
	to: z.enum(['gguf', 'onnx']).describe('the form: gguf for llama.cpp, onnx for onnxruntime'),
	type: z
		.enum(['f16', 'q8_0', 'q4_0'])
		.optional()
		.describe("in what GGUF's matrices are written, by default f16; norms and biases stay in float32"),
	output: z.string().min(1).describe('file to write'),
	model: sourceFlags.model,
	allowOtherBase: sourceFlags.allowOtherBase,
	overwrite: sourceFlags.overwrite,
});

interface FromRun {
	/** A run folder or an adapter folder. */
	readonly run: string;
	/** Options of the run's config that are others here: `model` and those of the backend. */
	readonly overrides: ConfigOverrides;
}

export type MergeRequest = FromRun & Readonly<Omit<z.output<typeof mergeFlags>, 'model'>>;

export type ExportRequest = FromRun & Readonly<Omit<z.output<typeof exportFlags>, 'model'>>;

/** What does the work of each subcommand. */
export interface ModelCommands {
	readonly merge: (request: MergeRequest, context: CommandContext) => Promise<CommandResult>;
	readonly export: (request: ExportRequest, context: CommandContext) => Promise<CommandResult>;
	readonly info: (request: InfoRequest, context: CommandContext) => Promise<CommandResult>;
	readonly quantize: (request: QuantizeRequest, context: CommandContext) => Promise<CommandResult>;
}

/** `vulntune model info|quantize|merge|export`. */
export function modelCommand({ info, quantize, merge, export: write }: ModelCommands): CommandDefinition {
	return (program, run) => {
		const model = program
			.command('model')
			.summary('inspect and quantise models, write detectors for other tools')
			.description('Inspect and quantise models, and write detectors for other tools.')
			.addHelpText(
				'after',
				'\nExamples:\n  vulntune model info models/smollm2-135m\n  vulntune model quantize --help',
			);
		defineInfo(model, run, info);
		defineQuantize(model, run, quantize);
		defineMerge(model, run, merge);
		defineExport(model, run, write);
	};
}

function defineInfo(parent: Command, run: CommandRunner, info: ModelCommands['info']): void {
	const command = parent
		.command('info')
		.summary('show what a model or an adapter is')
		.description(
			'Show what a model is: architecture, sizes, parameters, storage, memory, fingerprint; or an adapter, and whether its base is the one it was made on.',
		)
		.argument('<model>', 'folder of a model, an adapter or a run; a GGUF file; the name of a model on a hub')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune model info models/smollm2-135m\n  vulntune model info models/smollm2-135m --length 2048 --json\n  vulntune model info runs/three --model models/smollm2-135m\n  vulntune model info HuggingFaceTB/SmolLM2-135M --download',
		);
	addFlags(command, infoFlags);
	command.action(async (location: string) => {
		const request = { location, ...readFlags(infoFlags, command.opts()) };
		await run((context) => info(request, context));
	});
}

function defineQuantize(parent: Command, run: CommandRunner, quantize: ModelCommands['quantize']): void {
	const command = parent
		.command('quantize')
		.summary('write a model with quantised linear layers')
		.description("Quantise a model's linear layers and write it as a folder that needs the original no more.")
		.argument('<model>', 'folder of a model, GGUF file, or name on a hub')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune model quantize models/smollm2-135m --type nf4 --output models/smollm2-135m-nf4',
		);
	addFlags(command, quantizeFlags);
	command.action(async (model: string) => {
		const request = { model, ...readFlags(quantizeFlags, command.opts()) };
		await run((context) => quantize(request, context));
	});
}

function defineMerge(parent: Command, run: CommandRunner, merge: ModelCommands['merge']): void {
	const command = parent
		.command('merge')
		.summary('write a detector as one model for transformers')
		.description(
			'Write a detector as one model in Hugging Face layout: the adapter added to its base (restored, where it was quantised), with the head. transformers opens it, and so does vulntune; how far its logits lie from the detector is printed. Both are computed on the backend of the run where this machine has it, unless --backend names another; the sum of adapter and base is in float32 whatever it is.',
		)
		.argument('<run>', 'run folder or adapter folder')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune model merge runs/three --output models/three\n  vulntune model merge adapters/three --model models/smollm2-135m --type bf16 --output models/three',
		);
	addFlags(command, mergeFlags);
	addConfigFlags(command, { options: backendOptions, sections: trainingConfig.sections });
	command.action(async (folder: string) => {
		const request = fromRun(folder, readFlags(mergeFlags, command.opts()), command.opts());
		await run((context) => merge(request, context));
	});
}

function defineExport(parent: Command, run: CommandRunner, write: ModelCommands['export']): void {
	const command = parent
		.command('export')
		.summary('write a detector as a file of another runtime')
		.description(
			'Write a detector, its adapter merged, as a file of another runtime: GGUF for llama.cpp, tokenizer and all, with the head of a classifier in a file beside it; ONNX for onnxruntime in Node, Python or a browser, a classifier from token ids to logits. The adapter is added on the backend of the run where this machine has it, unless --backend names another, in float32 whatever it is.',
		)
		.argument('<run>', 'run folder or adapter folder')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune model export runs/three --to gguf --type q8_0 --output three.gguf\n  vulntune model export runs/three --to onnx --output three.onnx',
		);
	addFlags(command, exportFlags);
	addConfigFlags(command, { options: backendOptions, sections: trainingConfig.sections });
	command.action(async (folder: string) => {
		const request = fromRun(folder, readFlags(exportFlags, command.opts()), command.opts());
		await run((context) => write(request, context));
	});
}

/** A request with the base and the backend as overrides of the run's config. */
function fromRun<Flags extends { readonly model?: string | undefined }>(
	run: string,
	{ model, ...flags }: Flags,
	values: Readonly<Record<string, unknown>>,
): FromRun & Omit<Flags, 'model'> {
	return {
		run,
		...flags,
		overrides: { ...backendOverrides(values), ...(model === undefined ? {} : { model }) },
	};
}
