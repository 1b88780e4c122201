import {
	type ForeignFunctions,
	type ForeignLibrary,
	loadForeignFunctions,
} from '@vulntune/engine/backends/foreign-functions.ts';
import { VulntuneError } from '@vulntune/engine/errors.ts';

/** Bytes of ncclUniqueId. */
export const UNIQUE_ID_BYTES = 128;
/** ncclFloat32 and ncclUint8 of ncclDataType_t */
const [FLOAT32, UINT8] = [7, 1];

/** A communicator of NCCL; whatever it does is enqueued on a stream. */
export interface NcclCommunicator {
	/** Makes everything that `work` asks for one operation, so that a process may send and receive at once. */
	group(work: () => void): void;
	/** @param address of so many f32 on the card */
	send(address: number, count: number, peer: number): void;
	receive(address: number, count: number, peer: number): void;
	/** Numbers of any type, as bytes. */
	broadcast(address: number, bytes: number, root: number): void;
	destroy(): void;
}

export interface NcclLibrary {
	/** `NCCL 2.21.5` */
	readonly version: string;
	/** What the first process makes and all others join by. */
	createId(): Uint8Array;
	/** Returns when all processes have joined, each with a card of its own as the current one. */
	join(id: Uint8Array, rank: number, size: number, stream: unknown): NcclCommunicator;
}

/**
 * Loads libnccl; the variable VULNTUNE_LIBNCCL names another file.
 *
 * Throws NCCL_MISSING (runtime) where there is none, or no koffi.
 */
export function loadNccl(file = process.env.VULNTUNE_LIBNCCL || 'libnccl.so.2'): NcclLibrary {
	try {
		const foreign = loadForeignFunctions();
		return bind(foreign, foreign.load(file));
	} catch (cause) {
		throw new VulntuneError({
			code: 'NCCL_MISSING',
			kind: 'runtime',
			message: `the cards of several processes need NCCL, but it could not be loaded (${file}: ${(cause as Error).message})`,
			remedy:
				'Install it (libnccl2 of NVIDIA, or the wheel nvidia-nccl-cu12) on every machine, or name its file in VULNTUNE_LIBNCCL.',
			cause,
		});
	}
}

function bind(foreign: ForeignFunctions, library: ForeignLibrary): NcclLibrary {
	const describe = library.func('const char* ncclGetErrorString(int)') as unknown as (code: number) => string;
	/** The functions of NCCL return 0 or the code of what went wrong. */
	const checked =
		(name: string, call: (...values: unknown[]) => number) =>
		(...values: unknown[]): void => {
			const code = call(...values);
			if (code !== 0) throw failed(`${name}: ${describe(code)}, code ${code}`);
		};
	const find = (name: string, parameters: string) =>
		checked(name, library.func(`int ${name}(${parameters})`));
	const uniqueId = foreign.struct({ internal: foreign.array('uint8', UNIQUE_ID_BYTES) });
	const initRank = checked(
		'ncclCommInitRank',
		library.func('ncclCommInitRank', 'int', ['_Out_ void**', 'int', uniqueId, 'int']),
	);
	const getVersion = find('ncclGetVersion', '_Out_ int*');
	const getUniqueId = find('ncclGetUniqueId', 'void*');
	const groupStart = find('ncclGroupStart', '');
	const groupEnd = find('ncclGroupEnd', '');
	const send = find('ncclSend', 'uintptr_t, size_t, int, int, void*, void*');
	const receive = find('ncclRecv', 'uintptr_t, size_t, int, int, void*, void*');
	const broadcast = find('ncclBroadcast', 'uintptr_t, uintptr_t, size_t, int, int, void*, void*');
	const destroy = find('ncclCommDestroy', 'void*');
	return {
		get version() {
			const version: [number] = [0];
			getVersion(version);
			return versionText(version[0]);
		},
		createId() {
			const id = new Uint8Array(UNIQUE_ID_BYTES);
			getUniqueId(id);
			return id;
		},
		join(id, rank, size, stream) {
			const made: [unknown] = [undefined];
			initRank(made, size, { internal: id }, rank);
			const [communicator] = made;
			return {
				group(work) {
					groupStart();
					work();
					groupEnd();
				},
				send: (address, count, peer) => send(address, count, FLOAT32, peer, communicator, stream),
				receive: (address, count, peer) => receive(address, count, FLOAT32, peer, communicator, stream),
				broadcast: (address, bytes, root) =>
					broadcast(address, address, bytes, UINT8, root, communicator, stream),
				destroy: () => destroy(communicator),
			};
		},
	};
}

/** `NCCL 2.21.5` of 22105; versions before 2.9 have a digit less. */
export function versionText(version: number): string {
	const scale = version < 10_000 ? 1000 : 10_000;
	const minor = Math.floor((version % scale) / 100);
	return `NCCL ${Math.floor(version / scale)}.${minor}.${version % 100}`;
}

function failed(message: string): Error {
	return new VulntuneError({
		code: 'NCCL_FAILED',
		kind: 'runtime',
		message,
		remedy:
			'Start again from the last checkpoint (--resume); with NCCL_DEBUG=WARN in the environment NCCL says more.',
	});
}
