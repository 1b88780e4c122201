import type { CommandContext, CommandResult } from '../cli/context.ts';
import type { CommandDefinition } from '../cli/program.ts';

/** `vulntune doctor`; `examine` is what does the work. */
export function doctorCommand(
	examine: (context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		program
			.command('doctor')
			.summary('show what this machine offers')
			.description(
				'Show what this machine offers: backend, instruction set, threads, memory, GPUs, and what would fit.',
			)
			.addHelpText('after', '\nExamples:\n  vulntune doctor\n  vulntune doctor --json')
			.action(() => run(examine));
	};
}
