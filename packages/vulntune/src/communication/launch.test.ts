import { expect, it } from 'vitest';
import { readLaunch, requireOneProcess } from './launch.ts';

const openMpi = { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_LOCAL_RANK: '1' };
const mpich = { PMI_SIZE: '4', PMI_RANK: '3', MPI_LOCALRANKID: '1' };
const slurm = { SLURM_STEP_NUM_TASKS: '4', SLURM_PROCID: '3', SLURM_LOCALID: '1' };
const torchrun = { WORLD_SIZE: '4', RANK: '3', LOCAL_RANK: '1' };

it.each([
	['mpirun of Open MPI', 'mpi', openMpi],
	['mpirun of MPICH', 'mpi', mpich],
	['srun --mpi=pmix', 'mpi', { ...slurm, PMIX_RANK: '3' }],
	['torchrun', 'torchrun', torchrun],
])('knows a process of %s', (launcher, by, environment) => {
	expect(readLaunch(environment)).toEqual({ launcher, by, rank: 3, size: 4, localRank: 1 });
});

it.each([
	['no launcher', {}],
	['a launcher of one', { OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' }],
	['an srun of one', { SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }],
	['a batch script of many tasks, none of which is started yet', { SLURM_NTASKS: '4', SLURM_PROCID: '0' }],
	['variables that are empty', { WORLD_SIZE: '', RANK: '1' }],
])('takes %s for one process', (_, environment) => {
	expect(readLaunch(environment)).toBeUndefined();
});

it('takes launchers that agree for one, and the tasks of srun for those of what it has started', () => {
	expect(readLaunch({ ...torchrun, ...mpich })?.launcher).toBe('mpirun of MPICH');
	// Open MPI starts one daemon on each machine by srun
	const daemons = { SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '1', PMIX_RANK: '3' };
	expect(readLaunch({ ...openMpi, ...daemons })).toMatchObject({ rank: 3, size: 4 });
});

it.each([
	[{ ...openMpi, ...torchrun, WORLD_SIZE: '8' }, /process 3 of 4, but torchrun says .* process 3 of 8/],
	[{ ...openMpi, ...mpich, PMI_RANK: '2' }, /process 3 of 4, but mpirun of MPICH says .* process 2 of 4/],
])('refuses launchers that contradict each other', (environment, message) => {
	expect(() => readLaunch(environment)).toThrow(expect.objectContaining({ code: 'LAUNCH_CONFLICT' }));
	expect(() => readLaunch(environment)).toThrow(message);
});

it.each([
	[{ WORLD_SIZE: '4' }, 'RANK is not set'],
	[{ ...torchrun, RANK: '4' }, 'RANK is 4, but there are 4 processes'],
	[{ ...torchrun, RANK: '-1' }, 'RANK is -1'],
	[{ ...openMpi, OMPI_COMM_WORLD_SIZE: '0' }, 'OMPI_COMM_WORLD_SIZE is 0'],
	[{ ...mpich, PMI_SIZE: '4x' }, 'PMI_SIZE is 4x'],
	[{ ...torchrun, LOCAL_RANK: 'one' }, 'LOCAL_RANK is one'],
])('refuses %o', (environment, message) => {
	expect(() => readLaunch(environment)).toThrow(expect.objectContaining({ code: 'LAUNCH_VARIABLE' }));
	expect(() => readLaunch(environment)).toThrow(message);
});

it('refuses tasks of srun that have no MPI', () => {
	expect(() => readLaunch(slurm)).toThrow(
		expect.objectContaining({ code: 'LAUNCH_WITHOUT_MPI', kind: 'input' }),
	);
});

it('refuses several processes of what one does', () => {
	expect(() => requireOneProcess('vulntune evaluate', {})).not.toThrow();
	expect(() => requireOneProcess('vulntune evaluate', openMpi)).toThrow(
		/vulntune evaluate runs in one process, but mpirun of Open MPI has started 4/,
	);
});
