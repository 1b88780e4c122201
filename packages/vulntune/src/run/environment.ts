import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hardware, ModelFingerprint } from '@vulntune/engine';

/** What a run was made with, for environment.json. */
export function describeEnvironment(facts: {
	readonly backend: string;
	/** Absent where nothing computes with a model. */
	readonly hardware?: Hardware;
	readonly datasetHash: string;
	readonly tokenizerHash: string;
	/** Hash of the run's identity. */
	readonly fingerprint: string;
	/** Of the base model; absent where the run has none. */
	readonly base?: ModelFingerprint;
	/** Bases that what is trained was on before, by --allow-other-base. */
	readonly earlierBases?: readonly ModelFingerprint[];
	/** Whether the dataset was generated. */
	readonly synthetic?: boolean;
}): object {
	const { version, commit } = programVersion();
	return {
		vulntune: version,
		vulntuneCommit: commit,
		node: process.version,
		platform: `${process.platform} ${process.arch}`,
		cpu: os.cpus()[0]?.model ?? 'unknown',
		cores: os.availableParallelism(),
		memoryBytes: os.totalmem(),
		...facts,
	};
}

/** Which vulntune this is. */
export function programVersion(): { readonly version: string; readonly commit: string | null } {
	const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
	return { version, commit: ownCommit() };
}

const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * The commit that the program itself runs from, `-dirty` behind it where its files were changed; null where it was installed and
 * is no clone, even inside somebody else's repository. (The working folder's commit says nothing of the program.)
 */
export function ownCommit(folder = packageFolder): string | null {
	const root = git(folder, 'rev-parse', '--show-toplevel');
	if (root === null || path.relative(root, folder) !== path.join('packages', 'vulntune')) return null;
	return git(folder, 'describe', '--always', '--abbrev=40', '--exclude=*', '--dirty');
}

function git(folder: string, ...argv: readonly string[]): string | null {
	try {
		const output = execFileSync('git', argv, {
			cwd: folder,
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'ignore'],
			timeout: 5000,
		});
		return output.trim();
	} catch {
		return null;
	}
}
