import { readFileSync } from 'node:fs';
import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import { headComment } from '../config/head-comment.ts';
import { loadConfig } from '../config/load.ts';
import { configJsonSchema } from '../config/printed-schema.ts';
import type { Config } from '../config/schema.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { downloadFlag } from './fetch-model.ts';
import type { CommandDefinition } from './program.ts';
import { addConfigFlags, addFlags, configOverrides, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	resume: z.boolean().default(false).describe('go on from the newest whole checkpoint of the output folder'),
	overwrite: z.boolean().default(false).describe('replace the run in the output folder'),
	allowOtherBase: z
		.boolean()
		.default(false)
		.describe(
			'go on with a run, or start from an adapter, though the base is another than it was made on; kept in the run folder',
		),
	download: downloadFlag,
	dryRun: z
		.boolean()
		.default(false)
		.describe('print the plan: parameters, packs, memory and time; train nothing'),
	printSchema: z.boolean().default(false).describe('print the JSON Schema of the config'),
});

export interface TrainRequest {
	readonly config: Config;
	readonly resume: boolean;
	readonly overwrite: boolean;
	readonly allowOtherBase: boolean;
	readonly dryRun: boolean;
	/** Fetch a model that is named as on a hub and isn't in the cache. */
	readonly download?: boolean;
	/** What the config file says of itself at its head. */
	readonly configComment?: readonly string[];
}

/** `vulntune train`; `train` is what does the work. */
export function trainCommand(
	train: (request: TrainRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('train')
			.summary('fine-tune a base model on labelled functions')
			.description('Fine-tune a base model on labelled functions: config in, run folder out.')
			.argument('[config]', 'YAML file; every option in it is also a flag, and the flag wins')
			.addHelpText(
				'after',
				`
Examples:
  vulntune train configs/smollm2-x1.yaml
  vulntune train configs/smollm2-x1.yaml --training.epochs 3 --backend cpu --output runs/three
  vulntune train configs/smollm2-x1.yaml --dry-run
  vulntune train configs/smollm2-x1.yaml --model HuggingFaceTB/SmolLM2-135M --download
  vulntune train configs/smollm2-x1.yaml --output runs/three --resume
  vulntune train runs/three/config.yaml --resume --training.epochs 6
  vulntune train --print-schema > config.schema.json`,
			);
		addFlags(command, flags);
		addConfigFlags(command);
		command.action(async (file: string | undefined) => {
			const values = command.opts();
			const { printSchema, ...mode } = readFlags(flags, values);
			await run(async (context) => {
				if (printSchema) {
					const schema = configJsonSchema();
					return { data: schema, text: JSON.stringify(schema, null, 2) };
				}
				if (file === undefined) {
					throw inputError('USAGE', 'a config is missing', {
						remedy: 'vulntune train configs/smollm2-x1.yaml',
					});
				}
				if (mode.resume && mode.overwrite) {
					throw inputError(
						'USAGE',
						'--resume keeps the run in the output folder, --overwrite replaces it: choose one',
					);
				}
				const config = loadConfig(file, {
					overrides: configOverrides(values),
					note: context.progress.note,
					allowOtherBase: mode.allowOtherBase,
				});
				const configComment = headComment(readFileSync(file, 'utf8'));
				return train({ config, configComment, ...mode }, context);
			});
		});
	};
}
