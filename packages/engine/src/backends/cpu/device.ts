import { VulntuneError } from '../../errors.ts';
import type { DataType, View } from '../contract.ts';
import { createOwnedBuffers, type OwnedBuffers, programError } from '../owned-buffers.ts';
import { isStrided, stridedError } from '../view.ts';
import { type Address, type EngineHandle, NO_ADDRESS } from './handles.ts';
import type { Kernels } from './kernel-table.ts';
import type { NativeAddon } from './native.ts';

/** What all groups of the backend's kernels share: the addon, the engine and its memory. */
export interface CpuDevice {
	readonly addon: NativeAddon;
	/** The engine's handle, the first argument of every kernel; throws once the backend is closed. */
	readonly engine: EngineHandle;
	readonly kernels: Kernels;
	readonly buffers: OwnedBuffers;
	/** Address of a view's first element; throws for what `OwnedBuffers` refuses, and for columns of a wider matrix. */
	address(view: View): Address;
	/** The same for a matrix that may be columns of a wider one: a kernel that takes it is given its row stride too. */
	columnsAddress(view: View): Address;
	/** The same, or NO_ADDRESS for a view that isn't there. */
	optionalAddress(view: View | undefined): Address;
}

/** The device of one backend. `close` frees the engine with everything in it. */
export function createDevice(
	addon: NativeAddon,
	isa: string,
	threads: number,
): CpuDevice & { close(): void } {
	let engine: EngineHandle | undefined = startEngine(addon, isa, threads);
	const device: CpuDevice & { close(): void } = {
		addon,
		kernels: addon.kernels,
		get buffers() {
			return buffers;
		},
		get engine() {
			if (engine === undefined) throw programError('BACKEND_CLOSED', 'the backend is used after close');
			return engine;
		},
		address(view) {
			if (isStrided(view)) throw stridedError(view);
			return device.columnsAddress(view);
		},
		columnsAddress: (view) => device.buffers.address(view) as Address,
		optionalAddress(view) {
			return view === undefined ? NO_ADDRESS : device.address(view);
		},
		close() {
			if (engine !== undefined) addon.destroyEngine(engine);
			engine = undefined;
		},
	};
	const buffers: OwnedBuffers = createOwnedBuffers(device, {
		isOpen: () => engine !== undefined,
		take: (bytes, what) =>
			outOfMemoryGuard(
				() => `${what()} (${mebibytes(bytes)} MiB, ${mebibytes(buffers.counts().liveBytes)} MiB in use)`,
				() => addon.allocate(device.engine, bytes),
			),
		give: (address) => addon.release(device.engine, address as Address),
	});
	return device;
}

/** The caller has checked both options, so that what is left to fail is the system. */
function startEngine(addon: NativeAddon, isa: string, threads: number): EngineHandle {
	try {
		return outOfMemoryGuard(
			() => 'the kernels',
			() => addon.createEngine(isa, threads),
		);
	} catch (cause) {
		if (cause instanceof VulntuneError) throw cause;
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new VulntuneError({
			code: 'CPU_THREADS_REFUSED',
			kind: 'resources',
			message: `the system gives no ${threads} threads (${reason})`,
			place: 'backend.threads',
			remedy: 'Choose fewer threads (backend.threads), or raise the limit of processes (ulimit -u).',
			cause,
		});
	}
}

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** Runs a native call; memory that is exhausted becomes an error of kind `resources`. */
export function outOfMemoryGuard<T>(what: () => string, call: () => T): T {
	try {
		return call();
	} catch (error) {
		if ((error as { code?: unknown }).code !== 'RESOURCES') throw error;
		throw new VulntuneError({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: `not enough memory for ${what()}`,
			remedy: 'Choose a smaller model, a shorter sequence.length or a quantised base (method.base: nf4).',
			cause: error,
		});
	}
}

/** Throws unless the view has the element type. */
export function expectType(view: View, dtype: DataType, what: string): void {
	if (view.dtype !== dtype) {
		throw programError('CPU_TYPE', `${what} takes ${dtype}, but got ${view.dtype}`);
	}
}
