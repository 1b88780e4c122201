import { existsSync, readFileSync } from 'node:fs';
import type { RunFolder } from './run-folder.ts';

/** Whether a run has written the last line of its metrics: then its results are all there. */
export function hasEnded(folder: RunFolder): boolean {
	if (!existsSync(folder.metrics)) return false;
	const last = readFileSync(folder.metrics, 'utf8').trimEnd().split('\n').at(-1)!;
	return last.startsWith('{"type":"end"') && last.endsWith('}');
}
