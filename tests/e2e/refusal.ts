import { expect } from 'vitest';
import { filesOf } from '../files.ts';
import type { Ended } from './command-line.ts';
import type { Project } from './project.ts';
import { vulntuneHere } from './same-process.ts';

/** What an error must say. */
export interface Refusal {
	readonly argv: readonly string[];
	readonly code: string;
	/** Default 2. */
	readonly exitCode?: number;
	/** Parts of what stands on stderr: the place and the remedy among them. */
	readonly says: readonly (string | RegExp)[];
}

/** A way to run a command line: in this process or in one of its own. */
type Run = (argv: readonly string[], options: { readonly cwd: string }) => Promise<Ended>;

/**
 * Runs a command line that has to be refused and checks all that holds for every refusal: the exit code, an error on
 * stderr without a stack trace, the same error as the only thing on stdout, and a project folder left as it was.
 */
export async function expectRefusal(
	project: Project,
	refusal: Refusal,
	run: Run = vulntuneHere,
): Promise<void> {
	const before = filesOf(project.root);
	const { code, stdout, stderr } = await run([...refusal.argv, '--json'], { cwd: project.root });
	for (const part of refusal.says) {
		if (typeof part === 'string') expect(stderr).toContain(part);
		else expect(stderr).toMatch(part);
	}
	expect(stderr).toMatch(/^error: /m);
	expectNoStackTrace(stderr);
	const { error } = JSON.parse(stdout) as { error: { code: string; kind: string; message: string } };
	expect(error.code).toBe(refusal.code);
	expect(stderr).toContain(error.message);
	expect(code).toBe(refusal.exitCode ?? 2);
	expect(filesOf(project.root)).toEqual(before);
}

export function expectNoStackTrace(text: string): void {
	expect(text).not.toMatch(/^\s+at .+:\d+/m);
	expect(text).not.toMatch(/node:internal|Node\.js v\d/);
}
