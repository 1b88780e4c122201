import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../e2e/command-line.ts';

const read = (file: string) => JSON.parse(readFileSync(path.join(projectRoot, file), 'utf8'));
const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;
const wants = (manifest: Record<string, unknown>) =>
	Object.fromEntries(kinds.map((kind) => [kind, manifest[kind] ?? {}]));

// `npm install --save-optional --workspace …` also writes a package among those that must be there, and the next install takes it out again
it.each(['', 'packages/engine', 'packages/vulntune'])(
	'the lock file wants of %j what its package.json does, so that an install changes nothing',
	(workspace) => {
		const { packages } = read('package-lock.json');
		expect(wants(packages[workspace])).toEqual(wants(read(path.join(workspace, 'package.json'))));
	},
);
