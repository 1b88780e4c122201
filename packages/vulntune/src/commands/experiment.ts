import type { Command } from 'commander';
import { z } from 'zod';
import { configOptions } from '../config/options.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import { trainingConfig } from '../config/training-config.ts';
import { logFormats } from '../experiments/logs/log-formats.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CommandDefinition, CommandRunner } from './program.ts';
import { addConfigFlags, addFlags, configOverrides, readFlags } from './schema-flags.ts';

const runFlags = z.strictObject({
	output: z.string().min(1).describe('folder of the study: its ledger and a run folder for each cell'),
	only: z
		.string()
		.min(1)
		.optional()
		.describe('run these cells alone: numbers, or OPTION=VALUE as in seed=1,length=512'),
	cell: z.int().min(0).optional().describe('run the cell of this number alone, from 0: for array jobs'),
	jobs: z.int().min(1).default(1).describe('cells that are run at the same time, each in a process'),
	reuse: z
		.string()
		.min(1)
		.optional()
		.describe(
			'take finished runs from these studies, or from the studies in these folders; commas between them',
		),
	log: z
		.enum(logFormats)
		.optional()
		.describe('write finished cells for this program too: into tensorboard/ or mlruns/ of the study'),
	dryRun: z.boolean().default(false).describe('print what each cell would take; run nothing'),
});

const exportFlags = z.strictObject({
	format: z.enum(['csv', 'parquet', 'md', 'latex']).describe('a row for each cell in every one of them'),
	output: z.string().min(1).optional().describe('file to write; without it the table is printed'),
});

export type RunExperimentRequest = Readonly<z.output<typeof runFlags>> & {
	/** The grid's file. */
	readonly grid: string;
	readonly overrides: ConfigOverrides;
};

export type ExportExperimentRequest = Readonly<z.output<typeof exportFlags>> & { readonly study: string };

/** What does the work of each subcommand. */
export interface ExperimentCommands {
	readonly run: (request: RunExperimentRequest, context: CommandContext) => Promise<CommandResult>;
	readonly status: (study: string, context: CommandContext) => Promise<CommandResult>;
	readonly show: (study: string, cell: string, context: CommandContext) => Promise<CommandResult>;
	readonly compare: (
		study: string,
		cells: readonly [string, string],
		context: CommandContext,
	) => Promise<CommandResult>;
	readonly report: (study: string, context: CommandContext) => Promise<CommandResult>;
	readonly export: (request: ExportExperimentRequest, context: CommandContext) => Promise<CommandResult>;
}

/** `vulntune experiment run|status|show|compare|report|export`. */
export function experimentCommand(commands: ExperimentCommands): CommandDefinition {
	return (program, run) => {
		const experiment = program
			.command('experiment')
			.summary('run a grid of configs into one ledger')
			.description('Run a grid of configs into one ledger, and read what came of it.')
			.addHelpText(
				'after',
				'\nExamples:\n  vulntune experiment run --help\n  vulntune experiment status studies/rank\n  vulntune experiment export studies/rank --format csv',
			);
		defineRun(experiment, run, commands.run);
		defineStatus(experiment, run, commands.status);
		defineShow(experiment, run, commands.show);
		defineCompare(experiment, run, commands.compare);
		defineReport(experiment, run, commands.report);
		defineExport(experiment, run, commands.export);
	};
}

/** Where the run of each cell lies is the study's to say. */
const cellOptions = configOptions.filter(({ name }) => name !== 'output');

function defineRun(parent: Command, run: CommandRunner, start: ExperimentCommands['run']): void {
	const command = parent
		.command('run')
		.summary('run the cells of a grid that are left')
		.description(
			'Run the cells of a grid that are left. It goes on where the ledger in --output stands: a finished run is never run again, one that was stopped goes on from its checkpoint, one that failed is tried again. The same command in several processes shares the cells out.',
		)
		.argument('<grid>', 'YAML file of a grid: configs/experiments has some')
		.addHelpText(
			'after',
			`
Examples:
  vulntune experiment run grid.yaml --output studies/rank
  vulntune experiment run grid.yaml --output studies/rank --dry-run
  vulntune experiment run grid.yaml --output studies/rank --model models/smollm2-135m --jobs 2
  vulntune experiment run grid.yaml --output studies/rank --only seed=1,rank=8
  vulntune experiment run grid.yaml --output parts/3 --cell 3
  vulntune experiment run grid.yaml --output studies/rank --reuse parts`,
		);
	addFlags(command, runFlags);
	addConfigFlags(command, { options: cellOptions, sections: trainingConfig.sections });
	command.action(async (grid: string) => {
		const values = command.opts();
		const request = { grid, ...readFlags(runFlags, values), overrides: configOverrides(values, cellOptions) };
		await run((context) => start(request, context));
	});
}

function defineStatus(parent: Command, run: CommandRunner, status: ExperimentCommands['status']): void {
	const command = parent
		.command('status')
		.summary('show whether each cell is finished, and what it reached')
		.description('Show every cell of a study: whether it is finished, and what it reached.')
		.argument('<study>', 'the --output of vulntune experiment run')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune experiment status studies/rank\n  vulntune experiment status studies/rank --json',
		);
	command.action((study: string) => run((context) => status(study, context)));
}

function defineShow(parent: Command, run: CommandRunner, show: ExperimentCommands['show']): void {
	parent
		.command('show')
		.summary('show all that is known of one cell')
		.description('Show all that the ledger holds of one cell.')
		.argument('<study>', 'the --output of vulntune experiment run')
		.argument('<cell>', 'number, name, or beginning of the identity of its run')
		.addHelpText('after', '\nExamples:\n  vulntune experiment show studies/rank 3')
		.action((study: string, cell: string) => run((context) => show(study, cell, context)));
}

function defineCompare(parent: Command, run: CommandRunner, compare: ExperimentCommands['compare']): void {
	parent
		.command('compare')
		.summary('test two cells on the same functions')
		.description(
			'Compare two cells on the test functions of both: paired tests of ROC AUC (DeLong) and of F1 at their thresholds (bootstrap over commits).',
		)
		.argument('<study>', 'the --output of vulntune experiment run')
		.argument('<a>', 'a cell: number, name, or beginning of the identity of its run')
		.argument('<b>', 'the cell that it is compared with')
		.addHelpText('after', '\nExamples:\n  vulntune experiment compare studies/rank 0 3')
		.action((study: string, a: string, b: string) => run((context) => compare(study, [a, b], context)));
}

function defineReport(parent: Command, run: CommandRunner, report: ExperimentCommands['report']): void {
	parent
		.command('report')
		.summary('write the study as HTML, with figures')
		.description(
			"Write report.html into the folder of a study, one file that needs no network, and its figures as SVG and PNG beside it: the paper's Table 1 with the cells that repeat it, every run against the best baseline, what the data allow to say of each axis, validation epoch by epoch.",
		)
		.argument('<study>', 'the --output of vulntune experiment run')
		.addHelpText('after', '\nExamples:\n  vulntune experiment report studies/rank')
		.action((study: string) => run((context) => report(study, context)));
}

function defineExport(parent: Command, run: CommandRunner, write: ExperimentCommands['export']): void {
	const command = parent
		.command('export')
		.summary('write a table with a row for each cell')
		.description('Write a table of a study with a row for each cell.')
		.argument('<study>', 'the --output of vulntune experiment run')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune experiment export studies/rank --format csv\n  vulntune experiment export studies/rank --format parquet --output rank.parquet\n  vulntune experiment export studies/rank --format latex --output rank.tex',
		);
	addFlags(command, exportFlags);
	command.action(async (study: string) => {
		const request = { study, ...readFlags(exportFlags, command.opts()) };
		await run((context) => write(request, context));
	});
}
