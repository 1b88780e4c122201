import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';
import { Command, CommanderError } from 'commander';
import type { CommandContext, CommandResult } from './context.ts';
import { exitCodes, toVulntuneError } from './exit-code.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import { createProgressRenderer } from './progress.ts';
import { spellOutBooleans } from './schema-flags.ts';
import { printable, type Terminal } from './terminal.ts';

/** Registers one command: its options, and what runs when it is called. */
export type CommandDefinition = (program: Command, run: CommandRunner) => void;

/** Runs the body of a command and prints what it comes to. */
export type CommandRunner = (body: (context: CommandContext) => Promise<CommandResult>) => Promise<void>;

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
): Promise<number> {
	// Read before parsing, because a faulty command line is reported in the form that it asks for.
	const isJson = argv.includes('--json');
	const isDebug = argv.includes('--debug');
	let exitCode = 0;

	const runCommand: CommandRunner = async (body) => {
		const progress = createProgressRenderer(terminal);
		let interruption: Interruption | undefined;
		try {
			const result = await body({
				progress,
				interruption: () => (interruption ??= listenForInterruption(progress.note)).signal,
			});
			progress.finish();
			const text = isJson ? JSON.stringify(result.data, null, 2) : printable(result.text);
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
		const program = createProgram(version);
		for (const define of definitions) define(program, runCommand);
		configureAll(program, terminal);
		await program.parseAsync(spellOutBooleans(argv, program), { from: 'user' });
		return exitCode;
	} catch (thrown) {
		// Help was asked for, by name or by giving no command.
		const isHelp =
			thrown instanceof CommanderError && (thrown.exitCode === 0 || thrown.code === 'commander.help');
		if (isHelp) return 0;
		const error = thrown instanceof CommanderError ? usageError(thrown) : toVulntuneError(thrown);
		reportError(error, terminal, { isJson, isDebug });
		return exitCodes[error.kind];
	}
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
			'\nExit codes: 0 ok, 1 findings (scan), 2 usage, config or input, 3 partial result, 4 failure, 5 out of memory or disk, 130 interrupted.',
		);
}

/** What commander does not hand down to subcommands by itself. */
function configureAll(command: Command, terminal: Terminal): void {
	command
		.exitOverride()
		.showSuggestionAfterError()
		.configureHelp({ showGlobalOptions: true, sortSubcommands: false })
		.configureOutput({ writeOut: terminal.stdout, writeErr: terminal.stdout, outputError: () => {} });
	for (const child of command.commands) configureAll(child, terminal);
}

function usageError(error: CommanderError): VulntuneError {
	const [message = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
	const hint = hints.join(' ').replace(/^\(|\)$/g, '');
	const remedy = hint === '' ? 'See vulntune --help.' : hint;
	return inputError('USAGE', message, { remedy, cause: error });
}

function reportError(
	error: VulntuneError,
	terminal: Terminal,
	{ isJson, isDebug }: { isJson: boolean; isDebug: boolean },
): void {
	terminal.stderr(`error: ${printable(error.message)}\n`);
	const { code, kind, place, remedy, cause } = error;
	if (isDebug) {
		const origin = cause instanceof Error ? cause : error;
		terminal.stderr(`${printable(origin.stack ?? origin.message)}\n`);
	}
	if (isJson) {
		const report = { code, kind, message: error.summary, place, remedy };
		terminal.stdout(`${JSON.stringify({ error: report }, null, 2)}\n`);
	}
}
