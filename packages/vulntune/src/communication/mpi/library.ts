import {
	type ForeignFunctions,
	type ForeignLibrary,
	loadForeignFunctions,
} from '@vulntune/engine/backends/foreign-functions.ts';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import type { Launch } from '../launch.ts';

/** The functions of MPI that are used, for the communicator of all processes and messages of bytes. */
export interface MpiLibrary {
	/** `Open MPI v4.1.4`: what the library calls itself. */
	readonly version: string;
	/** The file that it was loaded from. */
	readonly file: string;
	/** Starts MPI. Only the thread that did so may call the others. */
	initialize(): void;
	rank(): number;
	size(): number;
	/** As many bytes of every process, one after the other. */
	allGather(own: ArrayBufferView, bytes: number, all: ArrayBufferView): void;
	/** The same where processes have different numbers of bytes. */
	allGatherParts(own: ArrayBufferView, all: ArrayBufferView, parts: Parts): void;
	/** Part i of `own` goes to process i; part i of `all` is what process i has sent here. */
	exchangeParts(own: ArrayBufferView, sent: Parts, all: ArrayBufferView, received: Parts): void;
	/** Gives the first process's bytes to all. */
	broadcast(bytes: ArrayBufferView): void;
	finalize(): void;
}

/** Parts of a buffer, one for each process, in bytes. */
export interface Parts {
	readonly lengths: Int32Array;
	readonly starts: Int32Array;
}

/** How the implementations name what MPI leaves to them: numbers, or addresses of their own variables. */
interface Handles {
	/** How a handle is written in a prototype. */
	readonly type: 'int' | 'uintptr_t';
	readonly world: number | bigint;
	readonly byte: number | bigint;
	/** MPI_THREAD_FUNNELED: there are other threads, which don't call MPI. */
	readonly funneled: number;
}

const mpichHandles: Handles = { type: 'int', world: 0x44000000, byte: 0x4c00010d, funneled: 1 };
/** Of MPI 5's common binary interface. */
const commonHandles: Handles = { type: 'uintptr_t', world: 0x101, byte: 0x247, funneled: 1024 };

function openMpiHandles(foreign: ForeignFunctions, library: ForeignLibrary): Handles {
	const addressOf = (name: string) => foreign.address(library.symbol(name, 'uint8'));
	const [world, byte] = [addressOf('ompi_mpi_comm_world'), addressOf('ompi_mpi_byte')];
	return { type: 'uintptr_t', world, byte, funneled: 1 };
}

/** Names that libraries have, the ones that belong to the launcher first: two of them can't work in one process. */
function candidates({ launcher }: Launch): readonly string[] {
	const openMpi = ['libmpi.so.40', 'libmpi.so.80'];
	const mpich = ['libmpich.so.12', 'libmpi.so.12'];
	const common = ['libmpi_abi.so.0', 'libmpi_abi.so'];
	const ordered = launcher.includes('MPICH')
		? [...mpich, ...common, ...openMpi]
		: [...openMpi, ...common, ...mpich];
	return [...ordered, 'libmpi.so'];
}

/**
 * Loads the MPI library of whatever has started this process; the variable VULNTUNE_LIBMPI names another.
 *
 * Throws MPI_FFI_MISSING, MPI_MISSING, MPI_UNKNOWN (runtime).
 */
export function loadMpi(launch: Launch, chosen = process.env.VULNTUNE_LIBMPI): MpiLibrary {
	const foreign = requireForeignFunctions();
	const failures: string[] = [];
	for (const file of chosen ? [chosen] : candidates(launch)) {
		try {
			return bind(foreign, foreign.load(file, { global: true }), file);
		} catch (error) {
			if (error instanceof VulntuneError) throw error;
			failures.push(chosen ? `${file}: ${(error as Error).message}` : file);
		}
	}
	throw mpiError(
		'MPI_MISSING',
		`${launch.launcher} has started ${launch.size} processes, but no MPI library could be loaded (${failures.join(', ')})`,
		'Install the one of that launcher (Debian: openmpi-bin or mpich) on every machine, or name its file in VULNTUNE_LIBMPI.',
	);
}

function requireForeignFunctions(): ForeignFunctions {
	try {
		return loadForeignFunctions();
	} catch (cause) {
		throw mpiError(
			'MPI_FFI_MISSING',
			'the package koffi, which calls the MPI library, is not installed for this platform',
			'Run `npm install` without `--omit=optional`.',
			cause,
		);
	}
}

function bind(foreign: ForeignFunctions, library: ForeignLibrary, file: string): MpiLibrary {
	const version = versionOf(library);
	const { world, byte, type: handle, funneled } = handlesOf(foreign, library, file, version);
	const initThread = library.func('int MPI_Init_thread(void*, void*, int, _Out_ int*)');
	const commRank = library.func(`int MPI_Comm_rank(${handle}, _Out_ int*)`);
	const commSize = library.func(`int MPI_Comm_size(${handle}, _Out_ int*)`);
	const gather = library.func(`int MPI_Allgather(void*, int, ${handle}, void*, int, ${handle}, ${handle})`);
	const gatherParts = library.func(
		`int MPI_Allgatherv(void*, int, ${handle}, void*, void*, void*, ${handle}, ${handle})`,
	);
	const exchange = library.func(
		`int MPI_Alltoallv(void*, void*, void*, ${handle}, void*, void*, void*, ${handle}, ${handle})`,
	);
	const bcast = library.func(`int MPI_Bcast(void*, int, ${handle}, int, ${handle})`);
	const finalize = library.func('int MPI_Finalize()');
	// what fails in MPI itself ends all processes: that is MPI_COMM_WORLD's own way
	return {
		version,
		file,
		initialize: () => void initThread(null, null, funneled, [0]),
		rank: () => asked(commRank),
		size: () => asked(commSize),
		allGather: (own, bytes, all) => void gather(own, bytes, byte, all, bytes, byte, world),
		allGatherParts: (own, all, { lengths, starts }) =>
			void gatherParts(own, own.byteLength, byte, all, lengths, starts, byte, world),
		exchangeParts: (own, sent, all, received) =>
			void exchange(
				own,
				sent.lengths,
				sent.starts,
				byte,
				all,
				received.lengths,
				received.starts,
				byte,
				world,
			),
		broadcast: (bytes) => void bcast(bytes, bytes.byteLength, byte, 0, world),
		finalize: () => void finalize(),
	};

	function asked(question: (...values: unknown[]) => number): number {
		const answer: [number] = [0];
		question(world, answer);
		return answer[0];
	}
}

/** Of the text that the library has for people, its first line. */
function versionOf(library: ForeignLibrary): string {
	const text = Buffer.alloc(8192); // MPI_MAX_LIBRARY_VERSION_STRING
	const length: [number] = [0];
	library.func('int MPI_Get_library_version(void*, _Out_ int*)')(text, length);
	return text
		.toString('utf8', 0, length[0])
		.split(/[\n,\0]/)[0]!
		.replace(/\s+/g, ' ')
		.trim();
}

function handlesOf(
	foreign: ForeignFunctions,
	library: ForeignLibrary,
	file: string,
	version: string,
): Handles {
	if (file.includes('mpi_abi')) return commonHandles;
	if (version.startsWith('Open MPI')) return openMpiHandles(foreign, library);
	if (/MPICH|Intel|MVAPICH|Cray/i.test(version)) return mpichHandles;
	throw mpiError(
		'MPI_UNKNOWN',
		`${file} is an MPI library whose binary interface is not known: ${version}`,
		'Use Open MPI, MPICH or one that is compatible with it, or MPI 5’s libmpi_abi.',
	);
}

function mpiError(code: string, message: string, remedy: string, cause?: unknown): VulntuneError {
	return new VulntuneError({ code, kind: 'runtime', message, remedy, cause });
}
