import { type Backend, HOST_ARRAYS, type View } from '../contract.ts';
import { elements } from '../view.ts';
import { bytesOf, type CudaBuffer, type CudaDevice, memoryGuard, programError } from './device.ts';

export type MemoryGroup = Pick<
	Backend,
	'allocate' | 'free' | 'upload' | 'download' | 'memory' | 'activationType' | 'keepsDoubleScales'
>;

/** Buffers on the card, and the copies between it and the host. */
export function memoryGroup(device: CudaDevice): MemoryGroup {
	const { driver, stream, pool } = device;
	let liveBuffers = 0;
	let liveBytes = 0;
	let peakBytes = 0;
	return {
		allocate(dtype, length) {
			if (!Number.isSafeInteger(length) || length < 0) {
				throw programError('CUDA_LENGTH', `a buffer can't have ${length} elements`);
			}
			const bytes = bytesOf(dtype, length);
			const address = memoryGuard(
				device,
				() => `a buffer of ${length} ${dtype}`,
				() => pool.take(bytes),
			);
			liveBuffers++;
			liveBytes += bytes;
			peakBytes = Math.max(peakBytes, liveBytes);
			const buffer: CudaBuffer = { dtype, length, address, device };
			return buffer;
		},
		free(buffer) {
			const { address, dtype, length } = buffer as CudaBuffer;
			if (address === 0) throw programError('CUDA_FREED', `a buffer of ${length} ${dtype} was freed twice`);
			pool.give(address, bytesOf(dtype, length));
			(buffer as CudaBuffer).address = 0;
			liveBuffers--;
			liveBytes -= bytesOf(dtype, length);
		},
		upload(target: View, source) {
			const bytes = bytesOf(target.dtype, elements(target.shape));
			if (source.byteLength !== bytes) {
				throw programError('CUDA_UPLOAD', `upload expected ${bytes} bytes, got ${source.byteLength}`);
			}
			if (bytes === 0) return;
			driver.cuMemcpyHtoDAsync_v2(device.address(target), source, bytes, stream);
		},
		download(source: View) {
			const target = new HOST_ARRAYS[source.dtype](elements(source.shape));
			const address = device.address(source);
			if (target.byteLength > 0) driver.cuMemcpyDtoHAsync_v2(target, address, target.byteLength, stream);
			device.finish();
			return target;
		},
		memory() {
			const [free, total]: [[number], [number]] = [[0], [0]];
			driver.cuMemGetInfo_v2(free, total);
			const totalBytes = Number(total[0]);
			return {
				...{ liveBuffers, liveBytes, peakBytes },
				pool: { heldBytes: pool.reservedBytes, peakHeldBytes: pool.peakReservedBytes },
				card: { usedBytes: totalBytes - Number(free[0]), totalBytes },
			};
		},
		activationType: () => 'f32',
		keepsDoubleScales: true,
	};
}
