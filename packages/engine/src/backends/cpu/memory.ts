import { type DataType, type Device, HOST_ARRAYS, type View } from '../contract.ts';
import { downloadsAtOnce } from '../downloads.ts';
import { uploadedBytes } from '../owned-buffers.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type MemoryGroup = Omit<Device, 'close'>;

/** Buffers in native memory, and copies to them and from them. */
export function memoryGroup(device: CpuDevice): MemoryGroup {
	const { addon, buffers } = device;
	const { addressOf } = addon;
	return {
		allocate: buffers.allocate,
		free: buffers.free,
		upload(target: View, source) {
			uploadedBytes(target, source);
			addon.upload(device.engine, device.address(target), bytesIn(source));
		},
		...downloadsAtOnce((source) => {
			const target = new HOST_ARRAYS[source.dtype](elements(source.shape));
			addon.download(device.engine, bytesIn(target), device.address(source));
			return target;
		}),
		...(addressOf !== undefined && {
			borrow: (dtype: DataType, host: ArrayBufferView) =>
				buffers.borrow(dtype, host, addressOf(bytesIn(host))),
		}),
		activationType: () => 'f32',
		keepsDoubleScales: false,
		memory: buffers.counts,
	};
}

function bytesIn(view: ArrayBufferView): Uint8Array {
	return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
