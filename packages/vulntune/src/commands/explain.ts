import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import type { ConfigOverrides } from '../config/overrides.ts';
import { trainingConfig } from '../config/training-config.ts';
import { splitNames } from '../data/dataset.ts';
import type { ExplainOptions } from '../evaluation/explain-function.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { backendOptions, backendOverrides } from './backend-flags.ts';
import { movedBaseFlag, otherBaseFlag } from './base-flags.ts';
import type { CommandDefinition } from './program.ts';
import { addConfigFlags, addFlags, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	id: z.string().min(1).optional().describe('take the function of this id from a dataset instead of a file'),
	data: z.string().min(1).optional().describe("with --id: folder or .tar.gz; by default the run's own"),
	split: z.enum(splitNames).optional().describe('with --id: rows to look in; default test'),
	lines: z
		.string()
		.regex(/^\d+-\d+$/, 'expected two line numbers such as 10-40')
		.optional()
		.describe('with a file: the lines that the function takes, such as 10-40; by default the whole file'),
	method: z
		.enum(['attention', 'gradient'])
		.optional()
		.describe(
			'attention: what tokens are attended to in the first block (encoders; their default); gradient: gradient × input, positive where a line speaks for vulnerable',
		),
	model: movedBaseFlag,
	allowOtherBase: otherBaseFlag('explain though the base is another than the adapter was made on'),
});

/** `vulntune explain`; `explain` is what does the work. */
export function explainCommand(
	explain: (request: ExplainOptions, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('explain')
			.summary('a function with its lines scored')
			.description(
				'Print a function with what each of its lines has to do with its score. A file is read as one function. The scores order lines; they are no probabilities.',
			)
			.argument('<run>', 'run folder, or an adapter folder with its vulntune.json')
			.argument('[file]', 'file with the function')
			.addHelpText(
				'after',
				`
Examples:
  vulntune explain runs/three src/Login.java --lines 40-75
  vulntune explain runs/three --id 79742
  vulntune explain runs/three --id 79742 --data data/x1-without-p3 --split valid --method gradient --json`,
			);
		addFlags(command, flags);
		addConfigFlags(command, { options: backendOptions, sections: trainingConfig.sections });
		command.action(async (folder: string, file: string | undefined) => {
			const values = command.opts();
			const request = toRequest(folder, file, readFlags(flags, values), backendOverrides(values));
			await run((context) => explain(request, context));
		});
	};
}

function toRequest(
	run: string,
	file: string | undefined,
	{ id, data, split, lines, method, model, allowOtherBase }: z.output<typeof flags>,
	backend: ConfigOverrides,
): ExplainOptions {
	const common = {
		run,
		method,
		overrides: { ...backend, ...(model === undefined ? {} : { model }) },
		allowOtherBase,
	};
	if ((file === undefined) === (id === undefined)) {
		throw inputError('USAGE', 'a file with a function or --id is expected, one of them', {
			remedy: 'vulntune explain runs/<name> FILE, or vulntune explain runs/<name> --id ID',
		});
	}
	if (file === undefined) {
		if (lines !== undefined) throw inputError('USAGE', '--lines goes with a file, not with --id');
		return { ...common, source: { id: id!, data, split: split ?? 'test' } };
	}
	if (data !== undefined || split !== undefined) {
		throw inputError('USAGE', '--data and --split go with --id, not with a file');
	}
	return { ...common, source: { file, lines: lines === undefined ? undefined : rangeOf(lines) } };
}

function rangeOf(lines: string): [from: number, to: number] {
	const [from, to] = lines.split('-').map(Number) as [number, number];
	if (from >= 1 && from <= to) return [from, to];
	throw inputError('USAGE', `--lines: expected a first and a last line such as 10-40, found ${lines}`);
}
