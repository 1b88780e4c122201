import { readLaunch, requireOneProcess } from '../communication/launch.ts';
import type { Terminal } from '../terminal/terminal.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Commands whose work the processes of a launcher share. */
const shared: readonly string[] = ['train', 'pretrain'];

/** Throws SEVERAL_PROCESSES for a command that every process of a launcher would do once more. */
export function refuseSeveralProcesses(command: string, environment: Environment): void {
	if (!shared.includes(command)) requireOneProcess(`vulntune ${command}`, environment);
}

/**
 * The terminal of one of several processes: the first tells what all do, the others only what keeps them from it, with their number.
 */
export function terminalOfProcess(terminal: Terminal, environment: Environment): Terminal {
	const rank = rankOf(environment);
	if (rank === 0) return terminal;
	return {
		...terminal,
		isInteractive: false,
		stdout: () => {},
		stderr(text) {
			if (text.startsWith('error: ')) terminal.stderr(`process ${rank}: ${text}`);
		},
	};
}

function rankOf(environment: Environment): number {
	try {
		return readLaunch(environment)?.rank ?? 0;
	} catch {
		// what is wrong with the variables is said where they are used
		return 0;
	}
}
