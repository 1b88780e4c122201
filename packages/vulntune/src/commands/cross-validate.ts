import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import { loadConfig } from '../config/load.ts';
import type { CrossValidationRequest } from '../cross-validation/deal-folds.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { downloadFlag } from './fetch-model.ts';
import type { CommandDefinition } from './program.ts';
import { addConfigFlags, addFlags, configOverrides, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	folds: z.int().min(2).max(1000).default(5).describe('parts of which each is held out once'),
	repeats: z
		.int()
		.min(1)
		.max(1000)
		.default(1)
		.describe('how often the rows are dealt to folds, each time by another seed'),
	similarity: z
		.number()
		.min(0.5)
		.max(1)
		.default(0.9)
		.describe('Jaccard similarity of sequences of five words from which on functions are near-duplicates'),
	download: downloadFlag,
	dryRun: z
		.boolean()
		.default(false)
		.describe('print the plan: folds, rows of each, memory and time; train nothing'),
});

export interface CrossValidateRequest extends CrossValidationRequest {
	readonly dryRun: boolean;
	/** Fetch a model that is named as on a hub and isn't in the cache. */
	readonly download: boolean;
}

/** `vulntune cross-validate`; `crossValidate` is what does the work. */
export function crossValidateCommand(
	crossValidate: (request: CrossValidateRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('cross-validate')
			.summary('score every row by a detector that has not seen its project')
			.description(
				'Train the method of a config and the baselines once per fold and compare them on all rows, each scored while it was held out. Rows of one project, near-duplicates and rows of one commit are in one fold. The same command goes on after it was stopped.',
			)
			.argument('[config]', 'YAML file; every option in it is also a flag, and the flag wins')
			.addHelpText(
				'after',
				`
Examples:
  vulntune cross-validate configs/smollm2-x1.yaml --data.projects commits.json --output runs/folds
  vulntune cross-validate configs/smollm2-x1.yaml --method.type ngram --output runs/ngram-folds
  vulntune cross-validate configs/smollm2-x1.yaml --dry-run
  vulntune cross-validate configs/smollm2-x1.yaml --folds 10 --repeats 3 --output runs/ten-folds --json`,
			);
		addFlags(command, flags);
		addConfigFlags(command);
		command.action(async (file: string | undefined) => {
			const values = command.opts();
			const options = readFlags(flags, values);
			await run(async (context) => {
				if (file === undefined) {
					throw inputError('USAGE', 'a config is missing', {
						remedy: 'vulntune cross-validate configs/smollm2-x1.yaml --output runs/folds',
					});
				}
				const { note } = context.progress;
				const config = loadConfig(file, { overrides: configOverrides(values), note });
				return crossValidate({ config, ...options }, context);
			});
		});
	};
}
