import { type Backend, elements, type View, viewOf } from '@vulntune/engine';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import type { Communicator, VectorCommunicator } from '../communicator.ts';
import type { Launch } from '../launch.ts';
import { loadNccl, type NcclLibrary } from '../nccl/library.ts';
import { createNcclVectors } from '../nccl/vectors.ts';
import { createReceived } from '../received.ts';
import { stretchesOf, stretchStart } from '../stretches.ts';
import type { Channel } from '../together.ts';
import { loadMpi, type MpiLibrary, type Parts } from './library.ts';

/** MPI counts bytes in 32 bits. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The processes that mpirun or srun has started, which speak with each other through MPI.
 *
 * Throws what `loadMpi` throws, and MPI_MISMATCH where the library knows of other processes than the launcher: it is not its own.
 */
export function openMpiChannel(launch: Launch): Channel {
	const mpi = loadMpi(launch);
	mpi.initialize();
	const [rank, size] = [mpi.rank(), mpi.size()];
	if (rank !== launch.rank || size !== launch.size) throw mismatch(mpi, launch);
	return {
		rank,
		size,
		localRank: launch.localRank,
		async gatherBytes(bytes) {
			const lengths = new Int32Array(size);
			mpi.allGather(Int32Array.of(bytes.byteLength), 4, lengths);
			const parts = partsOf(lengths);
			const all = new Uint8Array(parts.starts[size - 1]! + lengths[size - 1]!);
			mpi.allGatherParts(bytes, all, parts);
			return Array.from(lengths, (length, i) => all.subarray(parts.starts[i]!, parts.starts[i]! + length));
		},
		async withVectors(backend, communicator) {
			if (backend.name !== 'cuda') return createMpiVectors(mpi, backend, communicator);
			const nccl = ncclIfThere();
			const isEverywhere = !(await communicator.gather(nccl !== undefined)).includes(false);
			return isEverywhere
				? createNcclVectors(backend, communicator, nccl)
				: createMpiVectors(mpi, backend, communicator);
		},
		async close() {
			mpi.finalize();
		},
	};
}

/** Without it, the gradients of cards go through the memory of the host. */
function ncclIfThere(): NcclLibrary | undefined {
	try {
		return loadNccl();
	} catch {
		return undefined;
	}
}

/** Vectors go through the memory of the host, which on a CPU is where they are. */
function createMpiVectors(mpi: MpiLibrary, backend: Backend, communicator: Communicator): VectorCommunicator {
	const { rank, size } = communicator;
	const own = stretchesOf(rank, size);
	const received = createReceived(backend, communicator); // [size · stretch]
	return {
		...communicator,
		description: mpi.version,
		stretch: own.of,
		async collect(vector) {
			const whole = lengthOf(vector);
			const { length } = own.bounds(vector);
			const views = await received.of(vector, size * length);
			const all = new Float32Array(size * length);
			mpi.exchangeParts(
				floatsOf(backend, vector),
				stretchParts(whole, size),
				all,
				partsOf(new Int32Array(size).fill(4 * length)),
			);
			if (length === 0) return [];
			backend.upload(views, all);
			return Array.from({ length: size }, (_, from) => viewOf(views.buffer, [length], from * length));
		},
		async spread(vector) {
			const whole = lengthOf(vector);
			const values = Float32Array.from(floatsOf(backend, own.of(vector)));
			const all = new Float32Array(whole);
			mpi.allGatherParts(values, all, stretchParts(whole, size));
			backend.upload(vector, all);
		},
		async broadcast(vector) {
			const values = backend.download(vector).slice();
			mpi.broadcast(values);
			backend.upload(vector, values);
		},
		close() {
			received.free();
		},
	};
}

function floatsOf(backend: Backend, vector: View): Float32Array {
	return backend.download(vector) as Float32Array;
}

/** Elements of a vector. Throws MPI_TOO_LONG where MPI can't count its bytes. */
function lengthOf(vector: View): number {
	const length = elements(vector.shape);
	if (4 * length <= MOST_BYTES) return length;
	throw new VulntuneError({
		code: 'MPI_TOO_LONG',
		kind: 'input',
		message: `${length} trainable parameters are more than several processes can add up (${Math.floor(MOST_BYTES / 4)})`,
		place: 'method',
		remedy: 'Train an adapter (method.type: lora or qlora), or use one process.',
	});
}

function stretchParts(length: number, size: number): Parts {
	const starts = Array.from({ length: size + 1 }, (_, rank) => 4 * stretchStart(length, rank, size));
	return partsOf(Int32Array.from({ length: size }, (_, rank) => starts[rank + 1]! - starts[rank]!));
}

/** Parts that lie one behind the other. */
function partsOf(lengths: Int32Array): Parts {
	const starts = new Int32Array(lengths.length);
	for (let i = 1; i < lengths.length; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
	return { lengths, starts };
}

function mismatch(mpi: MpiLibrary, { launcher, rank, size }: Launch): Error {
	return new VulntuneError({
		code: 'MPI_MISMATCH',
		kind: 'runtime',
		message: `${launcher} says that this is process ${rank} of ${size}, but ${mpi.version} (${mpi.file}) that it is ${mpi.rank()} of ${mpi.size()}`,
		remedy:
			'Name the library of that launcher in VULNTUNE_LIBMPI, or start the processes with the mpirun of this library.',
	});
}
