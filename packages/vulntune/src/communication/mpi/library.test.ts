import { loadForeignFunctions } from '@vulntune/engine/backends/foreign-functions.ts';
import { expect, it } from 'vitest';
import { loadMpi } from './library.ts';

const launch = { launcher: 'mpirun of Open MPI', by: 'mpi', rank: 0, size: 2, localRank: 0 } as const;

it.skipIf(!hasForeignFunctions()).each([
	['is not there', 'absent.so'],
	['is another', 'libm.so.6'],
])('a library that %s is no MPI library (skipped without koffi)', (_, file) => {
	expect(() => loadMpi(launch, file)).toThrow(
		expect.objectContaining({
			code: 'MPI_MISSING',
			message: expect.stringContaining(
				`mpirun of Open MPI has started 2 processes, but no MPI library could be loaded (${file}: `,
			),
		}),
	);
});

function hasForeignFunctions(): boolean {
	try {
		loadForeignFunctions();
		return true;
	} catch {
		return false;
	}
}
