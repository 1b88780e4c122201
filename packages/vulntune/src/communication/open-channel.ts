import type { Processes } from './communicator.ts';
import { type Environment, type Launch, readLaunch } from './launch.ts';
import { type Channel, type Followed, runTogether } from './together.ts';

/**
 * Runs the same work in every process that a launcher has started, or in this one.
 *
 * Throws what `readLaunch` and the channels throw, in the first process what any of them threw.
 */
export async function runInProcesses<Outcome>(
	work: (processes: Processes) => Promise<Outcome>,
	environment: Environment = process.env,
): Promise<Outcome | Followed> {
	const launch = readLaunch(environment);
	return runTogether(launch === undefined ? undefined : await openChannel(launch, environment), work);
}

// A run of one process loads none of them.
async function openChannel(launch: Launch, environment: Environment): Promise<Channel> {
	if (launch.by === 'mpi') return (await import('./mpi/channel.ts')).openMpiChannel(launch);
	return (await import('./torchrun.ts')).openTorchrunChannel(launch, environment);
}
