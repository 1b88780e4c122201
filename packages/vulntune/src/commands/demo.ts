import { z } from 'zod';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { CommandDefinition } from './program.ts';
import { addFlags, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	output: z.string().min(1).default('runs/demo').describe('run folder; an earlier demo there is replaced'),
	seed: z.int().min(0).default(1).describe('of the generated functions and the training'),
});

export type DemoRequest = Readonly<z.output<typeof flags>>;

/** `vulntune demo`; `demo` is what does the work. */
export function demoCommand(
	demo: (request: DemoRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('demo')
			.summary('train and evaluate a small detector in minutes, offline')
			.description(
				'Train and evaluate a small detector on generated (synthetic) Java functions: the main job in minutes on two cores, offline.',
			)
			.addHelpText('after', '\nExamples:\n  vulntune demo\n  vulntune demo --output runs/first-look');
		addFlags(command, flags);
		command.action(async () => {
			const request = readFlags(flags, command.opts());
			await run((context) => demo(request, context));
		});
	};
}
