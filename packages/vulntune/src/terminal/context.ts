import type { ProgressListener } from './progress.ts';

/** What a command gets from the command line besides its own options. */
export interface CommandContext {
	readonly progress: ProgressListener;
	/**
	 * Aborted by the first Ctrl-C (or SIGTERM, or SIGHUP of a closed terminal), so that the command can save; a second one ends the process at once. A command
	 * that never asks for it ends at the first.
	 */
	readonly interruption: () => AbortSignal;
}

/** What a command came to. */
export interface CommandResult {
	/** The whole of stdout with `--json`. */
	readonly data: unknown;
	/** The whole of stdout without. */
	readonly text: string;
	/** Default 0; a failure is thrown instead. */
	readonly exitCode?: number;
}
