import { inputError } from '@vulntune/engine/errors.ts';
import type { Command } from 'commander';
import { z } from 'zod';
import { type GroupingName, groupings } from '../audit/row-groups.ts';
import type { SplitRequest } from '../audit/split-dataset.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CommandDefinition, CommandRunner } from './program.ts';
import { addFlags, readFlags } from './schema-flags.ts';

const projects = z
	.string()
	.min(1)
	.nullable()
	.default(null)
	.describe('JSON file that names the project of each commit, for rows without a repo');

const onBadRow = z
	.enum(['error', 'skip'])
	.default('error')
	.describe('a row that is not as it should be: an error, or left out and counted');

const auditFlags = z.strictObject({
	projects,
	onBadRow,
	html: z.string().min(1).optional().describe('also write the audit to this file, as HTML'),
});

const inspectFlags = z.strictObject({ projects, onBadRow });

const splitFlags = z.strictObject({
	output: z.string().min(1).describe('folder for the new splits'),
	by: z
		.array(z.enum([...groupings, 'time']))
		.min(1)
		.default(['project', 'nearDuplicate'])
		.describe('what is never parted, one or several; or time: the newest commits are tested on'),
	parts: z
		.array(z.number().min(0).max(1))
		.default([0.8, 0.1, 0.1])
		.describe('shares of train, valid and test'),
	seed: z.int().min(0).default(1).describe('of the order in which groups of one size are dealt'),
	similarity: z
		.number()
		.min(0.5)
		.max(1)
		.default(0.9)
		.describe('Jaccard similarity of sequences of five words from which on functions are near-duplicates'),
	dropNearDuplicates: z
		.boolean()
		.default(false)
		.describe('leave out rows that are near-duplicates of rows in a later split'),
	projects,
});

export type AuditRequest = { readonly location: string } & Readonly<z.output<typeof auditFlags>>;
export type InspectRequest = { readonly location: string } & Readonly<z.output<typeof inspectFlags>>;

type Work<Request> = (request: Request, context: CommandContext) => Promise<CommandResult>;

/** What does the work of each subcommand. */
export interface DatasetCommands {
	readonly audit: Work<AuditRequest>;
	readonly inspect: Work<InspectRequest>;
	readonly split: Work<SplitRequest>;
}

/** `vulntune dataset audit|inspect|split`. */
export function datasetCommand({ audit, inspect, split }: DatasetCommands): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('dataset')
			.summary('look at a dataset, audit it, split it anew')
			.description('Look at a dataset, find what its splits know of each other, split it anew.')
			.addHelpText(
				'after',
				'\nExamples:\n  vulntune dataset audit data/x1-without-p3\n  vulntune dataset split data/x1-without-p3 --output data/by-project',
			);
		defineAudit(command, run, audit);
		defineInspect(command, run, inspect);
		defineSplit(command, run, split);
	};
}

const datasetArgument = ['<dataset>', 'folder or .tar.gz with train.jsonl, valid.jsonl, test.jsonl'] as const;

function defineAudit(parent: Command, run: CommandRunner, audit: Work<AuditRequest>): void {
	const command = parent
		.command('audit')
		.summary('find what lets a detector know test functions from training')
		.description(
			'Find what lets a detector know the functions of one split from another: copies and near-duplicates, shared commits and projects, time, texts with both labels.',
		)
		.argument(...datasetArgument)
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune dataset audit data/x1-without-p3\n  vulntune dataset audit data/x1-without-p3 --projects commits.json --html audit.html\n  vulntune dataset audit data/x1-without-p3 --json',
		);
	addFlags(command, auditFlags);
	command.action(async (location: string) => {
		const request = { location, ...readFlags(auditFlags, command.opts()) };
		await run((context) => audit(request, context));
	});
}

function defineInspect(parent: Command, run: CommandRunner, inspect: Work<InspectRequest>): void {
	const command = parent
		.command('inspect')
		.summary('show what a dataset holds')
		.description('Show what a dataset holds: rows, classes, commits, projects, weaknesses, lengths.')
		.argument(...datasetArgument)
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune dataset inspect data/x1-without-p3\n  vulntune dataset inspect data/x1-without-p3 --json',
		);
	addFlags(command, inspectFlags);
	command.action(async (location: string) => {
		const request = { location, ...readFlags(inspectFlags, command.opts()) };
		await run((context) => inspect(request, context));
	});
}

function defineSplit(parent: Command, run: CommandRunner, split: Work<SplitRequest>): void {
	const command = parent
		.command('split')
		.summary('deal the rows to new train, valid and test splits')
		.description(
			'Deal the rows of all splits of a dataset to new ones that know nothing of each other: by project, near-duplicates or commit, both classes in each as they are in all; or by time. Rows of one commit stay together. Lines are written as they were read.',
		)
		.argument(...datasetArgument)
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune dataset split data/x1-without-p3 --projects commits.json --output data/by-project\n  vulntune dataset split data/x1-without-p3 --by commit --parts 0.6,0.2,0.2 --seed 7 --output data/by-commit\n  vulntune dataset split data/x1-without-p3 --by time --projects commits.json --output data/by-time',
		);
	addFlags(command, splitFlags);
	command.action(async (location: string) => {
		const { by, parts, ...flags } = readFlags(splitFlags, command.opts());
		const request = { location, by: groupingOf(by), shares: sharesOf(parts), ...flags };
		refuseIdle(request, command.opts());
		await run((context) => split(request, context));
	});
}

function groupingOf(by: readonly (GroupingName | 'time')[]): SplitRequest['by'] {
	const names = by.filter((name) => name !== 'time');
	if (names.length === by.length) return names;
	if (names.length === 0) return 'time';
	throw inputError('USAGE', `--by: time goes alone, found ${by.join(', ')}`);
}

/** Throws USAGE for a flag that changes nothing of this split. */
function refuseIdle(
	{ by, dropNearDuplicates }: SplitRequest,
	given: Readonly<Record<string, unknown>>,
): void {
	const isBy = (name: GroupingName) => by !== 'time' && by.includes(name);
	const uses = {
		seed: by !== 'time',
		projects: by === 'time' || isBy('project'),
		similarity: dropNearDuplicates || isBy('nearDuplicate'),
	};
	const idle = Object.entries(uses).flatMap(([name, isUsed]) =>
		isUsed || given[name] === undefined ? [] : [`--${name}`],
	);
	if (idle.length === 0) return;
	const how = by === 'time' ? by : by.join(',');
	throw inputError('USAGE', `${idle.join(' and ')} would change nothing of a split --by ${how}`, {
		remedy: idle.length === 1 ? 'Leave it out.' : 'Leave them out.',
	});
}

function sharesOf(parts: readonly number[]): SplitRequest['shares'] {
	const [train, valid, test] = parts as [number, number, number];
	const sum = parts.reduce((total, part) => total + part, 0);
	if (parts.length === 3 && Math.abs(sum - 1) < 1e-9) return [train, valid, test];
	const given = `${parts.join(', ')}${parts.length === 3 ? `, which are ${Number(sum.toFixed(9))}` : ''}`;
	throw inputError('USAGE', `--parts: expected three shares that are 1 together, found ${given}`, {
		remedy: 'Give those of train, valid and test, such as 0.8,0.1,0.1.',
	});
}
