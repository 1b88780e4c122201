import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A source file and everything of ours that it includes, in a fixed order. */
export function withIncludes(file, found = new Set()) {
	if (found.has(file)) return found;
	found.add(file);
	for (const [, included] of readFileSync(file, 'utf8').matchAll(/^#include "(.+)"/gm)) {
		withIncludes(path.join(path.dirname(file), included), found);
	}
	return found;
}
