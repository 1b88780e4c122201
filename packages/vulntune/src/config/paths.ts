import { existsSync } from 'node:fs';
import path from 'node:path';

/** An absolute path: `~` is the home folder, anything relative starts at `base`. */
export function resolvePath(text: string, base: string, home: string): string {
	if (text === '~') return home;
	if (text.startsWith('~/')) return path.join(home, text.slice(2));
	return path.resolve(base, text);
}

/**
 * Where a model lies. `owner/name` is both a relative path and a hub name: it is a path where that exists, and stays as it is
 * otherwise; `./owner/name` is always a path.
 */
export function resolveModel(text: string, base: string, home: string): string {
	const file = resolvePath(text, base, home);
	return isHubName(text) && !existsSync(file) ? text : file;
}

/** `owner/name`, as a hub of models has it. */
export function isHubName(text: string): boolean {
	return /^[\w-][\w.-]*\/[\w.-]+$/.test(text);
}
