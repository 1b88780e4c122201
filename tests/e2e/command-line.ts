import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const program = path.join(projectRoot, 'packages/vulntune/bin/vulntune.mjs');

/** What starts the program. */
export const programWords: readonly string[] = [process.execPath, program];

/** A home of its own, so that no test finds the tokens or models of the machine's user. */
export const home = mkdtempSync(path.join(os.tmpdir(), 'vulntune-home-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));

/** How a command line ended. */
export interface Ended {
	/** null where a signal ended it. */
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunningCommand {
	readonly child: ChildProcess;
	readonly ended: Promise<Ended>;
	/** Resolves once stderr has a text; rejects if the command ends before. */
	readonly says: (text: string) => Promise<void>;
}

export interface CommandOptions {
	/** Working folder. */
	readonly cwd: string;
	/** A shell command that runs before, in the same shell: `ulimit -f 8`. */
	readonly prepare?: string;
	/** Words before the program: `mpirun -n 2`. */
	readonly launcher?: readonly string[];
	/** Options of the Node that starts it. */
	readonly nodeOptions?: readonly string[];
	/** Variables besides this process's own. */
	readonly environment?: Readonly<Record<string, string>>;
}

/** Starts `vulntune` in a process of its own. */
export function startVulntune(
	argv: readonly string[],
	{ cwd, prepare, launcher = [], nodeOptions = [], environment }: CommandOptions,
): RunningCommand {
	const command = [...launcher, process.execPath, ...nodeOptions, program, ...argv];
	const env = {
		...process.env,
		...environment,
		HOME: home,
		// hints name commands as npx calls them, whatever runs the tests
		npm_command: 'exec',
		// compiled modules are kept between the commands of a test file: starting is most of what they do
		NODE_COMPILE_CACHE: path.join(projectRoot, 'node_modules/.cache/compiled'),
	};
	const child =
		prepare === undefined
			? spawn(command[0]!, command.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
			: spawn('sh', ['-c', `${prepare}; exec "$@"`, 'sh', ...command], {
					cwd,
					env,
					stdio: ['ignore', 'pipe', 'pipe'],
				});
	let stdout = '';
	let stderr = '';
	const waiting = new Set<() => void>();
	child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr += text;
		for (const check of waiting) check();
	});
	const ended = new Promise<Ended>((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
	});
	const says = (text: string) =>
		new Promise<void>((resolve, reject) => {
			const check = () => {
				if (!stderr.includes(text)) return;
				waiting.delete(check);
				resolve();
			};
			waiting.add(check);
			check();
			void ended.then(() => reject(new Error(`ended without saying "${text}":\n${stderr}`)));
		});
	return { child, ended, says };
}

/** Runs `vulntune` to its end. */
export async function vulntune(argv: readonly string[], options: CommandOptions): Promise<Ended> {
	return startVulntune(argv, options).ended;
}
