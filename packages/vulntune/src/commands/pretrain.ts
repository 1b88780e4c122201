import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import { configJsonSchema } from '../config/printed-schema.ts';
import type { PretrainConfig } from '../pretraining/config-schema.ts';
import { loadPretrainConfig, pretrainingConfig } from '../pretraining/load-config.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CommandDefinition } from './program.ts';
import { addConfigFlags, addFlags, configOverrides, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	resume: z.boolean().default(false).describe('go on from the newest whole checkpoint of the output folder'),
	overwrite: z.boolean().default(false).describe('replace the run in the output folder'),
	dryRun: z
		.boolean()
		.default(false)
		.describe('print the plan: documents, tokens, parameters, steps, time; train no model'),
	printSchema: z.boolean().default(false).describe('print the JSON Schema of the config'),
});

export interface PretrainRequest {
	readonly config: PretrainConfig;
	readonly resume: boolean;
	readonly overwrite: boolean;
	readonly dryRun: boolean;
}

/** `vulntune pretrain`; `pretrain` is what does the work. */
export function pretrainCommand(
	pretrain: (request: PretrainRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('pretrain')
			.summary('make a small base model from source code')
			.description(
				'Train a tokenizer and a small model of the Llama family on source code, by next-token prediction: config in, model folder out.',
			)
			.argument('[config]', 'YAML file; every option in it is also a flag, and the flag wins')
			.addHelpText(
				'after',
				`
Examples:
  vulntune pretrain configs/pretraining/demo-base.yaml
  vulntune pretrain configs/pretraining/demo-base.yaml --source.type folder --source.path src --output runs/own-base
  vulntune pretrain configs/pretraining/demo-base.yaml --dry-run
  vulntune pretrain configs/pretraining/demo-base.yaml --output runs/own-base --resume`,
			);
		addFlags(command, flags);
		addConfigFlags(command, pretrainingConfig);
		command.action(async (file: string | undefined) => {
			const values = command.opts();
			const { printSchema, ...mode } = readFlags(flags, values);
			await run(async (context) => {
				if (printSchema) {
					const schema = configJsonSchema(pretrainingConfig.structure);
					return { data: schema, text: JSON.stringify(schema, null, 2) };
				}
				if (file === undefined) {
					throw inputError('USAGE', 'a config is missing', {
						remedy: 'vulntune pretrain configs/pretraining/demo-base.yaml',
					});
				}
				if (mode.resume && mode.overwrite) {
					throw inputError(
						'USAGE',
						'--resume keeps the run in the output folder, --overwrite replaces it: choose one',
					);
				}
				const overrides = configOverrides(values, pretrainingConfig.options);
				return pretrain(
					{ config: loadPretrainConfig(file, { overrides, note: context.progress.note }), ...mode },
					context,
				);
			});
		});
	};
}
