import { inputError } from '@vulntune/engine/errors.ts';
import type { Processes } from './communicator.ts';
import { type Launch, readLaunch } from './launch.ts';
import { type Channel, type Followed, runTogether } from './together.ts';

/**
 * Runs the same work in every process that a launcher has started, or in this one.
 *
 * Throws what `readLaunch` and the channels throw, in the first process what any of them threw.
 */
export async function runInProcesses<Outcome>(
	work: (processes: Processes) => Promise<Outcome>,
	environment = process.env,
): Promise<Outcome | Followed> {
	const launch = readLaunch(environment);
	return runTogether(launch === undefined ? undefined : await openChannel(launch), work);
}

// A run of one process loads none of them.
async function openChannel(launch: Launch): Promise<Channel> {
	if (launch.by === 'torchrun') {
		throw inputError(
			'LAUNCH_NEEDS_MPI',
			`${launch.launcher} has started ${launch.size} processes, but they work together through MPI alone`,
			{ place: 'the environment', remedy: 'Start them with mpirun or srun.' },
		);
	}
	return (await import('./mpi/channel.ts')).openMpiChannel(launch);
}
