import { VulntuneError } from '../../errors.ts';
import { BYTES_PER_ELEMENT, type DataType, type DeviceBuffer, type View } from '../contract.ts';
import { describe, extent, isStrided, stridedError } from '../view.ts';
import type { Kernels } from './kernel-table.ts';
import { type Address, type EngineHandle, type NativeAddon, NO_ADDRESS } from './native.ts';

/** A buffer of native memory. */
export interface CpuBuffer extends DeviceBuffer {
	/** NO_ADDRESS once the buffer is freed. */
	address: Address;
	/** The device that owns the memory. */
	readonly device: CpuDevice;
}

/** What all groups of the backend's kernels share: the addon, the engine and its memory. */
export interface CpuDevice {
	readonly addon: NativeAddon;
	/** The engine's handle, the first argument of every kernel; throws once the backend is closed. */
	readonly engine: EngineHandle;
	readonly kernels: Kernels;
	/**
	 * Address of a view's first element; throws if its buffer was freed, belongs to another backend, has another type or ends
	 * before the view does: kernels would read and write other memory.
	 */
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
		get engine() {
			if (engine === undefined) throw programError('CPU_CLOSED', 'the backend was used after it was closed');
			return engine;
		},
		address(view) {
			if (isStrided(view)) throw stridedError(view);
			return device.columnsAddress(view);
		},
		columnsAddress(view) {
			const buffer = view.buffer as CpuBuffer;
			if (buffer.device !== device) {
				throw programError('CPU_FOREIGN_BUFFER', 'a buffer of another backend was given to the CPU backend');
			}
			if (buffer.address === NO_ADDRESS || engine === undefined) {
				throw programError(
					'CPU_FREED',
					`a buffer of ${buffer.length} ${buffer.dtype} was used after it was freed`,
				);
			}
			const end = view.offset + extent(view);
			// Written so that NaN fails too.
			if (!(view.dtype === buffer.dtype && view.offset >= 0 && end <= buffer.length)) {
				throw programError(
					'CPU_VIEW',
					`a view ${describe(view)} at ${view.offset} doesn't fit its buffer of ${buffer.length} ${buffer.dtype}`,
				);
			}
			return (buffer.address + view.offset * BYTES_PER_ELEMENT[view.dtype]) as Address;
		},
		optionalAddress(view) {
			return view === undefined ? NO_ADDRESS : device.address(view);
		},
		close() {
			if (engine !== undefined) addon.destroyEngine(engine);
			engine = undefined;
		},
	};
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

/** An error that only a mistake in our own code can cause. */
export function programError(code: string, message: string): VulntuneError {
	return new VulntuneError({
		code,
		kind: 'runtime',
		message,
		remedy: 'This is a mistake in vulntune; please report it.',
	});
}

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
