import { type Backend, VulntuneError } from '@vulntune/engine';
import type { Communicator, Processes, VectorCommunicator } from '../communication/communicator.ts';
import { programVersion } from '../run/environment.ts';
import { describeParts, type RunIdentity } from '../run/identity.ts';

/**
 * Throws PROCESSES_DIFFER before the first step where the processes are not about to compute the same run, or would not compute
 * the same bytes from it: another config, dataset, base, version or instruction set in one of them.
 */
export async function requireSameRun(
	communicator: Communicator,
	identity: RunIdentity,
	backend: Backend,
): Promise<void> {
	if (communicator.size === 1) return;
	const { version, commit } = programVersion();
	const own: RunIdentity = {
		...identity,
		version: `${version} ${commit ?? ''}`,
		arithmetic: `${backend.name} ${backend.hardware.isa ?? backend.description}`,
	};
	const all = await communicator.gather(own);
	for (const [rank, other] of all.entries()) {
		const names = [...new Set([...Object.keys(all[0]!), ...Object.keys(other)])];
		const different = names.filter((name) => other[name] !== all[0]![name]);
		if (different.length === 0) continue;
		const kernels = different.includes('arithmetic')
			? ` (${other.arithmetic}, not ${all[0]!.arithmetic})`
			: '';
		throw new VulntuneError({
			code: 'PROCESSES_DIFFER',
			kind: 'input',
			message: `process ${rank} has ${describeParts(different)}${kernels} than process 0: they would not compute the same run`,
			remedy:
				'Give all processes the same command, the same files and the same version; where machines differ, name a backend.isa that all have.',
		});
	}
}

/**
 * Computes a run together with all its processes, once they are known to compute the same one.
 *
 * Throws what `requireSameRun` throws.
 *
 * @param work given what joins the processes for as long as it takes
 */
export async function computeTogether<Outcome>(
	processes: Processes,
	identity: RunIdentity,
	backend: Backend,
	note: (line: string) => void,
	work: (communicator: VectorCommunicator) => Promise<Outcome>,
): Promise<Outcome> {
	await requireSameRun(processes, identity, backend);
	const communicator = await processes.withVectors(backend);
	try {
		const { size, description } = communicator;
		if (size > 1) note(`${size} processes share the run out, by ${description}`);
		return await work(communicator);
	} finally {
		communicator.close();
	}
}
