import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';

/** What a run was made with, for environment.json. */
export function describeEnvironment(facts: {
	readonly backend: string;
	readonly datasetHash: string;
	readonly tokenizerHash: string;
	readonly fingerprint: string;
	/** Whether the dataset was generated. */
	readonly synthetic?: boolean;
}): object {
	const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
	return {
		vulntune: version,
		node: process.version,
		platform: `${process.platform} ${process.arch}`,
		cpu: os.cpus()[0]?.model ?? 'unknown',
		cores: os.availableParallelism(),
		memoryBytes: os.totalmem(),
		gitCommit: gitCommit(),
		...facts,
	};
}

/** The commit of the working folder; null outside a repository. */
function gitCommit(): string | null {
	try {
		const output = execFileSync('git', ['rev-parse', 'HEAD'], {
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'ignore'],
			timeout: 5000,
		});
		return output.trim();
	} catch {
		return null;
	}
}
