import { type Device, HOST_ARRAYS, type View } from '../contract.ts';
import { uploadedBytes } from '../owned-buffers.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

export type MemoryGroup = Omit<Device, 'close'>;

/** Buffers on the card, and the copies between it and the host. */
export function memoryGroup(device: CudaDevice): MemoryGroup {
	const { driver, staging, pool, buffers } = device;

	function startDownload(source: View) {
		const address = device.address(source);
		return staging.download(new HOST_ARRAYS[source.dtype](elements(source.shape)), address);
	}

	return {
		allocate: buffers.allocate,
		free: buffers.free,
		upload(target: View, source) {
			uploadedBytes(target, source);
			staging.upload(device.address(target), source);
		},
		download: (source) => startDownload(source)(),
		startDownload,
		keepOnHost: device.hostCopies.keep,
		memory() {
			const [free, total]: [[number], [number]] = [[0], [0]];
			driver.cuMemGetInfo_v2(free, total);
			const totalBytes = Number(total[0]);
			return {
				...buffers.counts(),
				pool: { heldBytes: pool.reservedBytes, peakHeldBytes: pool.peakReservedBytes },
				host: { heldBytes: device.hostCopies.heldBytes },
				card: { usedBytes: totalBytes - Number(free[0]), totalBytes },
			};
		},
		waitedSeconds: () => device.waitedSeconds,
		activationType: (precision) => (precision === 'bf16' ? 'bf16' : 'f32'),
		keepsDoubleScales: true,
	};
}
