import { existsSync } from 'node:fs';
import path from 'node:path';

/** The adapter of a run folder, or the folder itself where it is an adapter. */
export function adapterFolder(location: string): string {
	const inside = path.join(location, 'adapter');
	return existsSync(inside) ? inside : location;
}
