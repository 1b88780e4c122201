import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';
import { Command, CommanderError, type Help } from 'commander';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { exitCodes, toVulntuneError } from '../terminal/exit-code.ts';
import { type Interruption, listenForInterruption } from '../terminal/interruption.ts';
import { createProgressRenderer } from '../terminal/progress.ts';
import { spellCommands } from '../terminal/spelled-command.ts';
import { printable, type Terminal } from '../terminal/terminal.ts';
import { describeCommand, fullName, helpLayout } from './help.ts';
import {
	meantFlag,
	missingValue,
	nearestFlags,
	spellOutBooleans,
	surplusValue,
	unknownFlags,
} from './schema-flags.ts';

/** Registers one command: its options, and what runs when it is called. */
export type CommandDefinition = (program: Command, run: CommandRunner) => void;

/** Runs the body of a command and prints what it comes to. */
export type CommandRunner = (body: (context: CommandContext) => Promise<CommandResult>) => Promise<void>;

export interface CallOptions {
	/** How the user calls the program: what hints and help name. */
	readonly command?: string;
	/** Throws where a command, by its name, can't run as this process was started. Help isn't asked. */
	readonly beforeCommand?: (name: string) => void;
}

/**
 * Runs a command line and prints its result or its failure.
 *
 * @param argv what follows `vulntune`
 * @returns the exit code: 0 ok, 2 usage or input, 3 partial, 4 failure, 5 out of resources, 130 interrupted
 */
export async function runCommandLine(
	argv: readonly string[],
	definitions: readonly CommandDefinition[],
	terminal: Terminal,
	version: string,
	{ command = 'vulntune', beforeCommand }: CallOptions = {},
): Promise<number> {
	// Read before parsing, because a faulty command line is reported in the form that it asks for.
	const isJson = argv.includes('--json');
	const isDebug = argv.includes('--debug');
	const program = createProgram(version);
	const spell = (text: string) =>
		spellCommands(
			text,
			command,
			program.commands.map((one) => one.name()),
		);
	let exitCode = 0;
	let help = '';

	const runCommand: CommandRunner = async (body) => {
		const renderer = createProgressRenderer(terminal);
		const progress = { ...renderer, note: (line: string) => renderer.note(spell(line)) };
		let interruption: Interruption | undefined;
		try {
			beforeCommand?.(argv[0] ?? '');
			const result = await body({
				progress,
				interruption: () => (interruption ??= listenForInterruption(progress.note)).signal,
			});
			progress.finish();
			const text = isJson ? JSON.stringify(result.data, null, 2) : printable(spell(result.text));
			if (text !== '') terminal.stdout(text.endsWith('\n') ? text : `${text}\n`);
			exitCode = result.exitCode ?? 0;
		} catch (error) {
			progress.finish();
			throw error;
		} finally {
			interruption?.dispose();
		}
	};

	try {
		for (const define of definitions) define(program, runCommand);
		program.hook('preAction', (_, called) => refuseEmpty(called));
		const write = (text: string) => void (help += text);
		configureAll(program, { columns: terminal.columns, isJson, write, spell });
		const words = spellOutBooleans(refusable(argv, program), calledCommand(program, argv));
		await program.parseAsync(words, { from: 'user' });
		return exitCode;
	} catch (thrown) {
		// Help was asked for, by name or by giving no command.
		const isHelp =
			thrown instanceof CommanderError && (thrown.exitCode === 0 || thrown.code === 'commander.help');
		if (isHelp) {
			const isVersion = thrown.code === 'commander.version';
			const asJson = isVersion ? `${JSON.stringify({ version }, null, 2)}\n` : help;
			terminal.stdout(isJson ? asJson : spell(help));
			return 0;
		}
		const error =
			thrown instanceof CommanderError ? usageError(thrown, program, argv) : toVulntuneError(thrown);
		reportError(error, terminal, spell, { isJson, isDebug });
		return exitCodes[error.kind];
	}
}

/** A word that is empty, mostly a variable of a script that is not set, would be taken for the working folder. */
function refuseEmpty(called: Command): void {
	const place = called.args.indexOf('');
	if (place < 0) return;
	const name = called.registeredArguments[place]?.name() ?? 'argument';
	throw inputError('USAGE', `${name}: expected a text that is not empty, found ""`, {
		remedy: `See ${fullName(called)} --help.`,
	});
}

/** The help of a command that there isn't would be that of all: without the flag commander says that it doesn't know it. */
function refusable(argv: readonly string[], program: Command): readonly string[] {
	const [name = '-'] = argv;
	const isKnown =
		name.startsWith('-') || name === 'help' || program.commands.some((one) => one.name() === name);
	return isKnown ? argv : argv.filter((word) => word !== '--help' && word !== '-h');
}

function createProgram(version: string): Command {
	return new Command('vulntune')
		.description('Fine-tune code language models into vulnerability detectors, on the machine you have.')
		.version(version, '--version', 'print the version')
		.option('--json', 'print the result as JSON on stdout, and nothing else there')
		.option('--debug', 'show where an unexpected failure comes from')
		.helpOption('-h, --help', 'show this help')
		.addHelpText(
			'after',
			'\nExamples:\n  vulntune demo\n  vulntune train --help\n  vulntune evaluate runs/demo --split valid\n\nExit codes: 0 ok, 2 usage, config or input, 3 partial result, 4 failure,\n5 out of memory or disk, 130 interrupted.',
		);
}

interface HelpSettings {
	readonly columns: number;
	readonly isJson: boolean;
	readonly write: (text: string) => void;
	/** Names commands as the user calls them. */
	readonly spell: (text: string) => string;
}

/** What commander does not hand down to subcommands by itself. */
function configureAll(command: Command, help: HelpSettings): void {
	const asJson = (shown: Command, helper: Help) =>
		`${JSON.stringify(describeCommand(shown, helper), null, 2)}\n`;
	// Examples and exit codes are added to the text after the help itself: no part of its JSON.
	const write = help.isJson ? (text: string) => void (text.startsWith('{') && help.write(text)) : help.write;
	command
		.exitOverride()
		.showSuggestionAfterError()
		.configureHelp({
			...helpLayout(help.spell),
			helpWidth: help.columns,
			showGlobalOptions: true,
			sortSubcommands: false,
			...(help.isJson ? { formatHelp: asJson } : {}),
		})
		.configureOutput({ writeOut: write, writeErr: write, outputError: () => {} });
	for (const child of command.commands) configureAll(child, help);
}

function usageError(error: CommanderError, program: Command, argv: readonly string[]): VulntuneError {
	const [message = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
	const flag = error.code === 'commander.unknownOption' ? /'(--[^']+)'/.exec(message)?.[1] : undefined;
	const called = calledCommand(program, argv);
	const unknown = flag === undefined ? [] : unknownFlags(argv, called);
	if (unknown.length > 1) {
		const list = unknown.map((one) => `  ${one}${meantFlag(one, called)}`).join('\n');
		const remedy = `See ${fullName(called)} --help.`;
		return inputError('USAGE', `unknown options\n${list}`, { remedy, cause: error });
	}
	const meant = flag === undefined ? [] : nearestFlags(flag, called);
	const hint =
		meant.length > 0 ? `Did you mean ${meant.join(' or ')}?` : hints.join(' ').replace(/^\(|\)$/g, '');
	const remedy = hint === '' ? `See ${fullName(called)} --help.` : hint;
	return inputError('USAGE', valueFault(error, called, argv) ?? message, { remedy, cause: error });
}

/** What is wrong with the value of a flag, where that is what commander stumbles over. */
function valueFault(
	{ code, message }: CommanderError,
	called: Command,
	argv: readonly string[],
): string | undefined {
	if (code === 'commander.optionMissingArgument') return missingValue(called, /'(.+)'/.exec(message)?.[1]);
	return code === 'commander.excessArguments' ? surplusValue(called, argv) : undefined;
}

/** The command that a command line calls, however deep it lies. */
function calledCommand(parent: Command, argv: readonly string[]): Command {
	for (const [index, word] of argv.entries()) {
		const called = parent.commands.find((child) => child.name() === word);
		if (called !== undefined) return calledCommand(called, argv.slice(index + 1));
	}
	return parent;
}

function reportError(
	error: VulntuneError,
	terminal: Terminal,
	spell: (text: string) => string,
	{ isJson, isDebug }: { isJson: boolean; isDebug: boolean },
): void {
	const { code, kind, place, cause } = error;
	const remedy = error.remedy === undefined ? undefined : spell(error.remedy);
	const hint = remedy === undefined ? '' : `\n  ${remedy}`;
	const where = place === undefined ? '' : `${place}: `;
	terminal.stderr(`error: ${printable(`${where}${error.summary}${hint}`)}\n`);
	if (isDebug) {
		const origin = cause instanceof Error ? cause : error;
		terminal.stderr(`${printable(origin.stack ?? origin.message)}\n`);
	}
	if (isJson) {
		const report = { code, kind, message: error.summary, place, remedy };
		terminal.stdout(`${JSON.stringify({ error: report }, null, 2)}\n`);
	}
}
