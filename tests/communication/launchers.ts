import { spawnSync } from 'node:child_process';
import { loadForeignFunctions } from '@vulntune/engine/backends/foreign-functions.ts';
import {
	type CommandOptions,
	programWords,
	type RunningCommand,
	startVulntune,
} from '../e2e/command-line.ts';

/** A launcher that may be on this machine. */
export interface Launcher {
	readonly name: string;
	/** Its program, as Debian names it. */
	readonly program: string;
	/** The file of its library. */
	readonly library: string;
	/** Words for so many processes on few cores. */
	readonly options: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
	/** Why it can't be tested here; undefined where it can. */
	readonly missing: string | undefined;
}

const known: readonly Omit<Launcher, 'missing'>[] = [
	{
		name: 'Open MPI',
		program: 'mpirun.openmpi',
		library: 'libmpi.so.40',
		options: ['--oversubscribe', '--bind-to', 'none'],
		// containers have no other user, and it asks for that twice
		environment: { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
	},
	{ name: 'MPICH', program: 'mpirun.mpich', library: 'libmpich.so.12', options: [], environment: {} },
];

/** The launchers that tests run; of each that isn't here, it is printed that it is skipped. */
export const launchers: readonly Launcher[] = known.map((launcher) => {
	const missing = whatIsMissing(launcher.program);
	if (missing !== undefined)
		console.warn(`skipped: several processes by ${launcher.name}, because ${missing}`);
	return { ...launcher, missing };
});

function whatIsMissing(program: string): string | undefined {
	try {
		loadForeignFunctions();
	} catch {
		return 'koffi is not installed';
	}
	const { status } = spawnSync(program, ['--version']);
	return status === 0 ? undefined : `there is no ${program}`;
}

/** Starts `vulntune` in several processes; each has the words of the first, and then its own. */
export function startTogether(
	launcher: Launcher,
	processes: readonly (readonly string[])[],
	argv: readonly string[],
	options: CommandOptions,
): RunningCommand {
	const rest = processes.slice(1).flatMap((own) => [':', '-n', '1', ...programWords, ...argv, ...own]);
	return startVulntune([...argv, ...(processes[0] ?? []), ...rest], {
		...options,
		launcher: [launcher.program, ...launcher.options, '-n', '1'],
		environment: { ...launcher.environment, ...options.environment },
	});
}

/** The words of so many processes that have none of their own. */
export function equal(size: number): readonly (readonly string[])[] {
	return Array.from({ length: size }, () => []);
}
