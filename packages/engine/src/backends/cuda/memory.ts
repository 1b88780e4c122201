import { type Backend, HOST_ARRAYS, type View } from '../contract.ts';
import { uploadedBytes } from '../owned-buffers.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

export type MemoryGroup = Pick<
	Backend,
	'allocate' | 'free' | 'upload' | 'download' | 'memory' | 'activationType' | 'keepsDoubleScales'
>;

/** Buffers on the card, and the copies between it and the host. */
export function memoryGroup(device: CudaDevice): MemoryGroup {
	const { driver, stream, pool, buffers } = device;
	return {
		allocate: buffers.allocate,
		free: buffers.free,
		upload(target: View, source) {
			const bytes = uploadedBytes(target, source);
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
				...buffers.counts(),
				pool: { heldBytes: pool.reservedBytes, peakHeldBytes: pool.peakReservedBytes },
				card: { usedBytes: totalBytes - Number(free[0]), totalBytes },
			};
		},
		activationType: () => 'f32',
		keepsDoubleScales: true,
	};
}
