import type { Command } from 'commander';
import { z } from 'zod';
import { quantizedBases } from '../config/schema.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CommandDefinition, CommandRunner } from './program.ts';
import { addFlags, readFlags } from './schema-flags.ts';

const quantizeFlags = z.strictObject({
	type: z
		.enum(quantizedBases)
		.describe(
			"how weights are stored; quantilek: k bits by the paper's equation (1); normalk: k bits as NF4 is made",
		),
	output: z.string().min(1).describe('folder for the quantised model'),
	double: z.boolean().default(true).describe('keep the scales of nf4 and fp4 in full precision'),
	overwrite: z.boolean().default(false).describe('replace what is in the output folder'),
});

const infoFlags = z.strictObject({
	model: z
		.string()
		.min(1)
		.optional()
		.describe(
			'of an adapter: folder of its base model, where it lies elsewhere than when the adapter was made',
		),
	allowOtherBase: z
		.boolean()
		.default(false)
		.describe('of an adapter: exit with 0 though the base is another than it was made on'),
});

export interface InfoRequest {
	/** A model, an adapter, or a run. */
	readonly location: string;
	readonly model?: string | undefined;
	readonly allowOtherBase: boolean;
}

export type QuantizeRequest = { readonly model: string } & Readonly<z.output<typeof quantizeFlags>>;

/** What does the work of each subcommand. */
export interface ModelCommands {
	readonly info: (request: InfoRequest, context: CommandContext) => Promise<CommandResult>;
	readonly quantize: (request: QuantizeRequest, context: CommandContext) => Promise<CommandResult>;
}

/** `vulntune model info|quantize`. */
export function modelCommand({ info, quantize }: ModelCommands): CommandDefinition {
	return (program, run) => {
		const model = program
			.command('model')
			.description('Inspect and quantise models.')
			.addHelpText(
				'after',
				'\nExamples:\n  vulntune model info models/smollm2-135m\n  vulntune model quantize --help',
			);
		defineInfo(model, run, info);
		defineQuantize(model, run, quantize);
	};
}

function defineInfo(parent: Command, run: CommandRunner, info: ModelCommands['info']): void {
	const command = parent
		.command('info')
		.description(
			'Show what a model is: architecture, sizes, parameters, storage, memory, fingerprint; or an adapter, and whether its base is the one it was made on.',
		)
		.argument('<model>', 'folder of a model, an adapter or a run')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune model info models/smollm2-135m\n  vulntune model info models/smollm2-135m --json\n  vulntune model info runs/three --model models/smollm2-135m',
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
		.description("Quantise a model's linear layers and write it as a folder that needs the original no more.")
		.argument('<model>', 'model folder')
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
