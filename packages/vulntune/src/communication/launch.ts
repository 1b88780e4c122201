import { inputError } from '@vulntune/engine/errors.ts';

/** How this process was started as one of several. */
export interface Launch {
	/** By whom, for people. */
	readonly launcher: string;
	/** What the processes speak with each other through. */
	readonly by: 'mpi' | 'torchrun';
	readonly rank: number;
	readonly size: number;
	/** Which process of its machine it is, counted from 0, where the launcher says so. */
	readonly localRank: number | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a launcher tells each process by variables: a run of several is known by the one for `size`. */
interface Convention {
	readonly launcher: string;
	readonly by: Launch['by'];
	readonly size: string;
	readonly rank: string;
	readonly localRank: string;
}

const conventions: readonly Convention[] = [
	{
		launcher: 'mpirun of Open MPI',
		by: 'mpi',
		size: 'OMPI_COMM_WORLD_SIZE',
		rank: 'OMPI_COMM_WORLD_RANK',
		localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
	},
	{
		launcher: 'mpirun of MPICH',
		by: 'mpi',
		size: 'PMI_SIZE',
		rank: 'PMI_RANK',
		localRank: 'MPI_LOCALRANKID',
	},
	{ launcher: 'torchrun', by: 'torchrun', size: 'WORLD_SIZE', rank: 'RANK', localRank: 'LOCAL_RANK' },
];

/** srun sets its variables for whatever it starts, the daemons of other launchers included: it counts where none of them does. */
const slurm: Convention = {
	launcher: 'srun --mpi=pmix',
	by: 'mpi',
	size: 'SLURM_STEP_NUM_TASKS',
	rank: 'SLURM_PROCID',
	localRank: 'SLURM_LOCALID',
};

/**
 * Reads from the environment whether a launcher has started this process as one of several; undefined where it is the only one.
 *
 * Throws LAUNCH_VARIABLE for a variable that is missing or no number that it may be, LAUNCH_CONFLICT where two launchers say
 * different things, LAUNCH_WITHOUT_MPI for tasks of `srun` that have nothing to speak with each other through.
 */
export function readLaunch(environment: Environment): Launch | undefined {
	const launches = conventions.flatMap((convention) => readConvention(convention, environment) ?? []);
	const [launch, ...others] = launches;
	for (const other of others) {
		if (other.rank === launch!.rank && other.size === launch!.size) continue;
		throw inputError(
			'LAUNCH_CONFLICT',
			`${describe(launch!)}, but ${describe(other)}: this process can't be both`,
			{
				place: 'the environment',
				remedy:
					'Start the processes with one launcher, from a shell that no other has started (torchrun under `srun --mpi=none`).',
			},
		);
	}
	const known = launch ?? readSlurm(environment);
	return known === undefined || known.size === 1 ? undefined : known;
}

/** Throws LAUNCH_WITHOUT_MPI: each of such tasks would train the whole run by itself, and they would fight for its folder. */
function readSlurm(environment: Environment): Launch | undefined {
	const launch = readConvention(slurm, environment);
	if (launch === undefined || launch.size === 1 || environment.PMIX_RANK !== undefined) return launch;
	throw inputError(
		'LAUNCH_WITHOUT_MPI',
		`srun has started ${launch.size} tasks that know nothing of each other`,
		{
			place: 'the environment',
			remedy: 'Use `srun --mpi=pmix` (Open MPI) or `srun --mpi=pmi2` (MPICH), or one task.',
		},
	);
}

function readConvention(convention: Convention, environment: Environment): Launch | undefined {
	const { launcher, by } = convention;
	const isSet = (name: string) => (environment[name] ?? '') !== '';
	if (!isSet(convention.size)) return undefined;
	const size = readNumber(convention.size, environment, 1);
	const rank = readNumber(convention.rank, environment, 0);
	const localRank = isSet(convention.localRank)
		? readNumber(convention.localRank, environment, 0)
		: undefined;
	if (rank >= size) {
		throw variableError(convention.rank, `is ${rank}, but there are ${size} processes, counted from 0`);
	}
	return { launcher, by, rank, size, localRank };
}

/** A whole number in a variable that a launcher sets. Throws LAUNCH_VARIABLE for anything else. */
export function readNumber(name: string, environment: Environment, least: number): number {
	const text = environment[name] ?? '';
	const value = Number(text);
	if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
	const found = text === '' ? 'is not set' : `is ${text}`;
	throw variableError(name, `${found}, but a whole number from ${least} is expected`);
}

function variableError(name: string, message: string): Error {
	return inputError('LAUNCH_VARIABLE', `the variable ${name} ${message}`, {
		place: 'the environment',
		remedy: 'Start the processes with mpirun, srun or torchrun, which set such variables; or unset them.',
	});
}

function describe({ launcher, rank, size }: Launch): string {
	return `${launcher} says that this is process ${rank} of ${size}`;
}

/** Throws SEVERAL_PROCESSES where a launcher has started several processes of what one does alone. */
export function requireOneProcess(what: string, environment: Environment): void {
	const launch = readLaunch(environment);
	if (launch === undefined) return;
	throw inputError(
		'SEVERAL_PROCESSES',
		`${what} runs in one process, but ${launch.launcher} has started ${launch.size}`,
		{
			remedy: 'Start it without the launcher. `vulntune train` and `vulntune pretrain` share their work out.',
		},
	);
}
