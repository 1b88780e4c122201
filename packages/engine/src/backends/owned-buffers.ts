import { VulntuneError } from '../errors.ts';
import { BYTES_PER_ELEMENT, type DataType, type Device, type DeviceBuffer, type View } from './contract.ts';
import { describe, elements, extent } from './view.ts';

/** A buffer of memory that has addresses: a process's own, or a card's. */
export interface AddressedBuffer<Owner> extends DeviceBuffer {
	/** 0 once the buffer is freed. */
	address: number;
	/** The device that owns the memory. */
	readonly device: Owner;
	/** The array whose memory it is, where that is borrowed: kept alive by this. */
	readonly host?: ArrayBufferView;
}

/** The memory of a device, from which its buffers are taken. */
export interface AddressedMemory {
	isOpen(): boolean;
	/** @param what the memory is for: for whoever reads that there is none left */
	take(bytes: number, what: () => string): number;
	give(address: number, bytes: number): void;
}

/** The buffers of a device, counted, because V8 doesn't see them. */
export interface OwnedBuffers extends Pick<Device, 'allocate' | 'free'> {
	/**
	 * Address of a view's first element; throws if its buffer was freed, belongs to another backend, has another type or ends
	 * before the view does: kernels would read and write other memory.
	 */
	address(view: View): number;
	/** A buffer of memory that was taken already, so many bytes as its elements have. */
	adopt(dtype: DataType, length: number, address: number): DeviceBuffer;
	/** A buffer of the host's memory, of an array that lies at this address; none of the device's own is in use by it. */
	borrow(dtype: DataType, host: ArrayBufferView, address: number): DeviceBuffer;
	counts(): { readonly liveBuffers: number; readonly liveBytes: number; readonly peakBytes: number };
}

/** @param owner the device itself, which is told from others by its identity */
export function createOwnedBuffers<Owner>(owner: Owner, memory: AddressedMemory): OwnedBuffers {
	let liveBuffers = 0;
	let liveBytes = 0;
	let peakBytes = 0;
	function adopt(dtype: DataType, length: number, address: number): DeviceBuffer {
		liveBuffers++;
		liveBytes += bytesOf(dtype, length);
		peakBytes = Math.max(peakBytes, liveBytes);
		const buffer: AddressedBuffer<Owner> = { dtype, length, address, device: owner };
		return buffer;
	}

	return {
		adopt,
		borrow(dtype, host, address) {
			liveBuffers++;
			const length = host.byteLength / BYTES_PER_ELEMENT[dtype];
			const buffer: AddressedBuffer<Owner> = { dtype, length, address, device: owner, host };
			return buffer;
		},
		allocate(dtype, length) {
			if (!Number.isSafeInteger(length) || length < 0) {
				throw programError('BUFFER_LENGTH', `a buffer can't have ${length} elements`);
			}
			const bytes = bytesOf(dtype, length);
			const address = memory.take(bytes, () => `a buffer of ${length} ${dtype}`);
			return adopt(dtype, length, address);
		},
		free(buffer) {
			const { address, dtype, host, length } = buffer as AddressedBuffer<Owner>;
			if (address === 0) throw programError('BUFFER_FREED', `a buffer of ${length} ${dtype} is freed twice`);
			const bytes = host === undefined ? bytesOf(dtype, length) : 0;
			if (host === undefined) memory.give(address, bytes);
			(buffer as AddressedBuffer<Owner>).address = 0;
			liveBuffers--;
			liveBytes -= bytes;
		},
		address(view) {
			const buffer = view.buffer as AddressedBuffer<Owner>;
			if (buffer.device !== owner) {
				throw programError('BUFFER_FOREIGN', 'a buffer of another backend was given to this one');
			}
			if (buffer.address === 0 || !memory.isOpen()) {
				throw programError(
					'BUFFER_FREED',
					`a buffer of ${buffer.length} ${buffer.dtype} is used after it was freed`,
				);
			}
			if (view.dtype !== buffer.dtype) {
				throw programError('BUFFER_TYPE', `a view of ${view.dtype} lies on a buffer of ${buffer.dtype}`);
			}
			const end = view.offset + extent(view);
			// Written so that NaN fails too.
			if (!(view.offset >= 0 && end <= buffer.length)) {
				throw programError(
					'BUFFER_RANGE',
					`view ${describe(view)} at ${view.offset} reaches beyond its buffer of ${buffer.length}`,
				);
			}
			return buffer.address + view.offset * BYTES_PER_ELEMENT[view.dtype];
		},
		counts: () => ({ liveBuffers, liveBytes, peakBytes }),
	};
}

/** Bytes of what is to be uploaded into a view; throws UPLOAD_SIZE unless they are as many as the view has. */
export function uploadedBytes(target: View, source: ArrayBufferView): number {
	const bytes = bytesOf(target.dtype, elements(target.shape));
	if (source.byteLength === bytes) return bytes;
	throw programError('UPLOAD_SIZE', `${describe(target)} takes ${bytes} bytes, found ${source.byteLength}`);
}

/** Bytes of so many elements. */
export function bytesOf(dtype: DataType, length: number): number {
	return length * BYTES_PER_ELEMENT[dtype];
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
