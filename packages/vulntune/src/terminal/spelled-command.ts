import { existsSync } from 'node:fs';
import path from 'node:path';

/** What of the process tells how it was called. */
export interface Caller {
	readonly env: Readonly<Record<string, string | undefined>>;
	/** The program's own file. */
	readonly file: string;
	readonly workingFolder: string;
}

/** What a user types to call the program as it was called now: `npx vulntune`, `vulntune`, or `node` and the program's file. */
export function spelledCommand({ env, file, workingFolder }: Caller): string {
	// npm sets it for npx and for scripts, and puts folders on the path that the user's own shell does not have
	if (env.npm_command !== undefined) return 'npx vulntune';
	const folders = (env.PATH ?? env.Path ?? '').split(path.delimiter).filter((folder) => folder !== '');
	const names = process.platform === 'win32' ? ['vulntune.cmd', 'vulntune.exe'] : ['vulntune'];
	if (folders.some((folder) => names.some((name) => existsSync(path.join(folder, name))))) return 'vulntune';
	return `node ${path.relative(workingFolder, file)}`;
}

/**
 * A text with every command in it spelled as the user calls it; texts name them by `vulntune train …`.
 *
 * @param names of all commands that there are
 */
export function spellCommands(text: string, command: string, names: readonly string[]): string {
	const mention = new RegExp(`(?<!npx )\\bvulntune(?= (?:${['help', ...names].join('|')}|-|\\[))`, 'g');
	return text.replace(mention, () => command);
}
