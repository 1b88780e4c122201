import { existsSync } from 'node:fs';
import path from 'node:path';
import { findSnapshot, hubCache } from '../hub/cache.ts';
import { isHubName, parseHubName } from '../hub/names.ts';

/** An absolute path: `~` is the home folder, anything relative starts at `base`. */
export function resolvePath(text: string, base: string, home: string): string {
	if (text === '~') return home;
	if (text.startsWith('~/')) return path.join(home, text.slice(2));
	return path.resolve(base, text);
}

/**
 * Where a model lies. `owner/name` is both a relative path and a hub name: it is a path where that exists, else the model of this name
 * in the hub's cache, and stays as it is where there is none; `./owner/name` is always a path.
 */
export function resolveModel(text: string, base: string, home: string): string {
	const file = resolvePath(text, base, home);
	if (!isHubName(text) || existsSync(file)) return file;
	return findSnapshot(parseHubName(text), hubCache(process.env, home)) ?? text;
}
