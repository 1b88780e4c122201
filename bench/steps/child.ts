import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a step of a child process took. */
export interface StepResult {
	readonly seconds: number;
	readonly tokens: number;
	/** Largest resident memory of the process so far. */
	readonly peakBytes: number;
	/** Ours only. */
	readonly profile?: StepProfile;
}

export interface StepProfile {
	/** Milliseconds in each kernel. */
	readonly kernels: Readonly<Record<string, number>>;
	/** Share of the step that is in none. */
	readonly outside: number;
}

/** A process that does one training or scoring step whenever it is asked: ours, or a peer's. */
export interface StepProcess {
	/** What it says of itself. */
	readonly description: unknown;
	step(): Promise<StepResult>;
	close(): Promise<void>;
}

interface Message {
	readonly ready?: unknown;
	readonly skipped?: string;
}

/**
 * Starts a step process and waits until it has warmed up. Returns the reason instead where it can't run here. It has a
 * process of its own so that its peak memory is its own. Its protocol is in peers/protocol.py.
 */
export async function startSteps(
	command: string,
	values: readonly string[],
	environment: NodeJS.ProcessEnv = process.env,
): Promise<StepProcess | { readonly skipped: string }> {
	const child = spawn(command, values, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
	let errors = '';
	child.stderr.on('data', (chunk: Buffer) => {
		errors = (errors + chunk.toString()).slice(-4000);
	});
	const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
	child.stdin.on('error', () => {}); // of one that has ended: its output tells
	const failure = new Promise<undefined>((resolve) => {
		child.once('error', (error) => {
			errors += error.message;
			resolve(undefined);
		});
	});
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async <Result>(): Promise<Result | undefined> => {
		const line = await Promise.race([lines.next(), failure]);
		return line === undefined || line.done === true ? undefined : (JSON.parse(line.value) as Result);
	};

	const first = await next<Message>();
	if (first?.ready === undefined) {
		return { skipped: first?.skipped ?? `it ended at its start: ${lastWords(errors)}` };
	}
	return {
		description: first.ready,
		async step() {
			child.stdin.write('\n');
			const result = await next<StepResult>();
			if (result !== undefined) return result;
			await closed; // until then its last words may be on their way
			throw new Error(`a step process ended early: ${lastWords(errors)}`);
		},
		close() {
			child.stdin.end();
			return closed;
		},
	};
}

/** The message of an error that ended Python or Node, or the last line. */
function lastWords(errors: string): string {
	const lines = errors.trim().split('\n');
	return lines.findLast((line) => /^\w*Error\b.*: /.test(line)) ?? lines.at(-1)!;
}
