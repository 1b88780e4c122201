import { BYTES_PER_ELEMENT, type DataType, type Device, HOST_ARRAYS, type View } from '../contract.ts';
import { elements } from '../view.ts';
import { type CpuBuffer, type CpuDevice, outOfMemoryGuard, programError } from './device.ts';
import { NO_ADDRESS } from './native.ts';

export type MemoryGroup = Omit<Device, 'close'>;

/** Buffers in native memory, counted here because V8 doesn't see them. */
export function memoryGroup(device: CpuDevice): MemoryGroup {
	const { addon } = device;
	let liveBuffers = 0;
	let liveBytes = 0;
	let peakBytes = 0;

	const bytesOf = (dtype: DataType, length: number) => length * BYTES_PER_ELEMENT[dtype];

	return {
		allocate(dtype, length) {
			if (!Number.isSafeInteger(length) || length < 0) {
				throw programError('CPU_LENGTH', `a buffer can't have ${length} elements`);
			}
			const bytes = bytesOf(dtype, length);
			const address = outOfMemoryGuard(
				() =>
					`a buffer of ${length} ${dtype} (${(bytes / 2 ** 20).toFixed(1)} MiB, ${(liveBytes / 2 ** 20).toFixed(1)} MiB in use)`,
				() => addon.allocate(device.engine, bytes),
			);
			liveBuffers++;
			liveBytes += bytes;
			peakBytes = Math.max(peakBytes, liveBytes);
			const buffer: CpuBuffer = { dtype, length, address, device };
			return buffer;
		},
		free(buffer) {
			const { address } = buffer as CpuBuffer;
			if (address === NO_ADDRESS)
				throw programError('CPU_FREED', `a buffer of ${buffer.length} ${buffer.dtype} was freed twice`);
			addon.release(device.engine, address);
			(buffer as CpuBuffer).address = NO_ADDRESS;
			liveBuffers--;
			liveBytes -= bytesOf(buffer.dtype, buffer.length);
		},
		upload(target: View, source) {
			const bytes = bytesOf(target.dtype, elements(target.shape));
			if (source.byteLength !== bytes) {
				throw programError('CPU_UPLOAD', `upload expected ${bytes} bytes, got ${source.byteLength}`);
			}
			addon.upload(device.engine, device.address(target), bytesIn(source));
		},
		download(source: View) {
			const target = new HOST_ARRAYS[source.dtype](elements(source.shape));
			addon.download(device.engine, bytesIn(target), device.address(source));
			return target;
		},
		activationType: () => 'f32',
		keepsDoubleScales: false,
		memory: () => ({ liveBuffers, liveBytes, peakBytes }),
	};
}

function bytesIn(view: ArrayBufferView): Uint8Array {
	return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
