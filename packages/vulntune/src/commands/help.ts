import type { Command, Help, Option } from 'commander';

/** Terms longer than this stand on a line of their own, with what they mean below. */
const termColumns = 26;
const indent = 2;

/**
 * Help that fits a terminal: long flags leave their text no column, so it goes below them.
 *
 * @param spell names commands as the user calls them
 */
export const helpLayout = (spell: (text: string) => string): Partial<Help> => ({
	padWidth: () => termColumns,
	styleTitle(title) {
		return this.boxWrap!(title, this.helpWidth ?? 80);
	},
	formatItem(term, termWidth, description, helper) {
		const gap = ' '.repeat(indent);
		if (description === '') return `${gap}${term}`;
		const start = indent + termWidth + indent;
		const text = helper.boxWrap(spell(description), Math.max(30, (helper.helpWidth ?? 80) - start));
		const lines = text.replaceAll('\n', `\n${' '.repeat(start)}`);
		if (helper.displayWidth(term) <= termWidth) return `${gap}${term.padEnd(termWidth)}${gap}${lines}`;
		return `${gap}${term}\n${' '.repeat(start)}${lines}`;
	},
});

/** What `--help --json` prints. */
export interface HelpReport {
	readonly command: string;
	readonly usage: string;
	readonly description: string;
	readonly arguments: readonly {
		readonly name: string;
		readonly required: boolean;
		readonly description: string;
	}[];
	readonly options: readonly { readonly flags: string; readonly description: string }[];
	readonly commands: readonly { readonly name: string; readonly description: string }[];
}

/** A command's help as data. */
export function describeCommand(command: Command, helper: Help): HelpReport {
	const option = ({ flags, description }: Option) => ({ flags, description });
	return {
		command: fullName(command),
		usage: helper.commandUsage(command),
		description: helper.commandDescription(command),
		arguments: command.registeredArguments.map((argument) => ({
			name: argument.name(),
			required: argument.required,
			description: argument.description,
		})),
		options: [...helper.visibleOptions(command), ...helper.visibleGlobalOptions(command)].map(option),
		commands: helper
			.visibleCommands(command)
			.map((child) => ({ name: child.name(), description: helper.subcommandDescription(child) })),
	};
}

/** `vulntune model info` */
export function fullName(command: Command): string {
	return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}
