import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withIncludes } from '../sources.mjs';

const sourceFolder = path.dirname(fileURLToPath(import.meta.url));

/** A hash of the sources, so that a test without the compiler sees a change that nobody compiled. */
export function hashOfSources() {
	const hash = createHash('sha256');
	const entries = ['module.cuh', 'hopper.cuh'];
	const files = entries.flatMap((entry) => [...withIncludes(path.join(sourceFolder, entry))]);
	const names = [...new Set(files)]
		.map((file) => path.relative(sourceFolder, file))
		.filter((name) => !name.startsWith('emulation'));
	for (const name of names.sort())
		hash.update(`\0${name}\0`).update(readFileSync(path.join(sourceFolder, name)));
	return hash.digest('hex');
}
