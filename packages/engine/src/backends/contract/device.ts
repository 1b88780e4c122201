import type { FloatPrecision } from './arithmetic.ts';
import type { DataType, DeviceBuffer, View } from './tensors.ts';

export interface MemoryUse {
	readonly liveBuffers: number;
	readonly liveBytes: number;
	readonly peakBytes: number;
	/** What the backend holds: buffers in use, and memory that it keeps for the next ones. */
	readonly pool?: { readonly heldBytes: number; readonly peakHeldBytes: number };
	/** Memory of the host in which views are kept (`keepOnHost`). */
	readonly host?: { readonly heldBytes: number };
	/** What all processes hold of a card, with what its driver keeps for itself. */
	readonly card?: { readonly usedBytes: number; readonly totalBytes: number };
}

/** In what elements come to the host; f64 where a backend stores them so. */
export type HostArray = Float32Array | Float64Array | Uint16Array | Int32Array | Uint8Array | Int8Array;

/** Something of the device's that is on its way; calling it waits where it isn't there yet, and gives the same each time. */
export type Pending<Value> = () => Value;

/** A view that is kept in the host's memory. */
export interface HostCopy {
	/** The elements in a new buffer, which is the caller's; once. Those that were kept last come back with the least delay. */
	restore(): DeviceBuffer;
	/** Gives its memory back, of one that was not restored. */
	free(): void;
}

/** Memory, and copies to it and from it: all that the host does besides calling kernels. */
export interface Device {
	/** Whether kernels take `DoubleScales`: where memory is short, and restoring them costs little beside reading the codes. */
	readonly keepsDoubleScales: boolean;
	/** Uninitialised memory of `length` elements. */
	allocate(dtype: DataType, length: number): DeviceBuffer;
	/**
	 * The memory of an array itself as a buffer, where kernels can reach it: what they write there the host sees. The array is not to be
	 * transferred before the buffer is freed.
	 */
	borrow?(dtype: DataType, host: ArrayBufferView): DeviceBuffer;
	/** Gives the memory back; using the buffer afterwards is an error. */
	free(buffer: DeviceBuffer): void;
	/** Copies host bytes into a view: the typed array has the view's element type (bf16, f16: Uint16Array). */
	upload(target: View, source: ArrayBufferView): void;
	/** Waits for the kernels before it and copies a view to the host (f32: Float32Array, bf16: Uint16Array, …). */
	download(source: View): HostArray;
	/**
	 * The same without waiting: what it gives, when it is called, waits for the copy unless the host has waited for something later
	 * already. The view may be freed at once.
	 */
	startDownload(source: View): Pending<HostArray>;
	/**
	 * Keeps a view in the host's memory until it is wanted again; its buffer may be freed at once, and isn't written until then. Copies run
	 * beside the kernels. Where a device's memory is the host's own there is nothing to gain, and the method isn't there.
	 */
	readonly keepOnHost?: (view: View) => HostCopy;
	memory(): MemoryUse;
	/** Seconds that the host has waited for the device so far; absent where kernels are done when their calls return. */
	readonly waitedSeconds?: () => number;
	/** Frees whatever the backend holds; the backend can't be used afterwards. */
	close(): void;
	/**
	 * The type in which activations and their gradients lie under a precision: f32 on a CPU, where the memory of a pack is
	 * small, 16 bits where a device is bound by its memory. Statistics, losses and the states that they are made from, adapters'
	 * narrow products, parameters and their gradients are f32 always.
	 */
	activationType(precision: FloatPrecision): 'f32' | 'bf16';
}
