import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from './command-line.ts';

/** A command line that a document shows. */
export interface ShownCommand {
	/** `README.md:27` */
	readonly place: string;
	/** Words, the program first; `npx` before it is left out. */
	readonly words: readonly string[];
}

/** Every command of the README, the other documents and the examples' scripts: lines of `sh` blocks, and inline code that starts with `vulntune`. */
export function shownCommands(): ShownCommand[] {
	const files = [
		...globSync('*.md', { cwd: projectRoot }),
		...globSync('docs/**/*.md', { cwd: projectRoot }),
		...globSync('packages/*/README.md', { cwd: projectRoot }),
	];
	const read = (file: string) => readFileSync(path.join(projectRoot, file), 'utf8');
	const scripts = globSync('examples/**/*.sh', { cwd: projectRoot });
	return [
		...files.toSorted().flatMap((file) => commandsOf(read(file), file)),
		// a fence around the lines, on their own numbers
		...scripts.toSorted().flatMap((file) => commandsOf(`\`\`\`sh\n${read(file)}`, file, 0)),
	];
}

/** The same for one document's text. */
export function commandsOf(text: string, file: string, firstLine = 1): ShownCommand[] {
	const commands: ShownCommand[] = [];
	let fence: string | undefined;
	let continued = '';
	for (const [index, line] of text.split('\n').entries()) {
		const place = `${file}:${index + firstLine}`;
		const mark = /^\s*```(\w*)/.exec(line);
		if (mark !== null) {
			fence = fence === undefined ? mark[1]! : undefined;
			continue;
		}
		if (fence === undefined) {
			for (const [, code] of line.matchAll(/`((?:npx )?vulntune [^`]+|npm (?:run|test|ci)\b[^`]*)`/g)) {
				add(code!, place);
			}
		} else if (['sh', 'bash', 'shell'].includes(fence)) {
			continued += line;
			if (continued.endsWith('\\')) {
				continued = continued.slice(0, -1);
				continue;
			}
			add(continued, place);
			continued = '';
		}
	}
	return commands;

	function add(line: string, place: string): void {
		// a comment, a prompt, and the brackets of <placeholders> and [options]
		const code = line
			.replace(/(^|\s)#.*$/, '')
			.replace(/^\s*\$ /, '')
			.replace(/<([\w.-]+)>|\[([^\]]+)\]/g, '$1$2');
		for (const part of code.split(/&&|\|\||[;|]/)) {
			// variables before a command, and what it is redirected to, are the shell's
			const words = (part.replace(/\d?>+\s*\S+/g, '').match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map(
				(word) => word.replace(/^(['"])(.*)\1$/, '$2'),
			);
			while (/^[A-Z_]+=/.test(words[0] ?? '')) words.shift();
			// what a launcher starts
			const launched = words.indexOf('npx');
			if (/^(mpirun|srun|torchrun)$/.test(words[0] ?? '') && launched > 0) words.splice(0, launched);
			if (words[0] === 'npx') words.shift();
			if (words.length > 0) commands.push({ place, words });
		}
	}
}

/** Scripts of the root's package.json and what npm knows by itself. */
export function npmFault(words: readonly string[]): string | undefined {
	const [, verb, script] = words;
	const { scripts } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));
	if (['ci', 'install', 'install-scripts', 'pack', 'rebuild'].includes(verb!)) return undefined;
	const name = verb === 'run' ? script! : verb!;
	return Object.hasOwn(scripts, name) ? undefined : `there is no script ${name}`;
}

/** The file that a `node …` command runs must be there. */
export function nodeFault(words: readonly string[]): string | undefined {
	const file = words.slice(1).find((word) => !word.startsWith('-'));
	if (file === undefined || existsSync(path.join(projectRoot, file))) return undefined;
	return `there is no ${file}`;
}
