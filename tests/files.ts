import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The bytes (in base64) of every file under a folder, by its path from there: to see that nothing was changed. */
export function filesOf(folder: string): Record<string, string> {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name))
		.toSorted();
	return Object.fromEntries(files.map((file) => [path.relative(folder, file), readFileSync(file, 'base64')]));
}
