import { normalArray } from '@vulntune/engine';
import type { CudaDevice, TakeScratch } from '@vulntune/engine/backends/cuda/device.ts';
import { storages } from '@vulntune/engine/backends/cuda/weights.ts';

let pool: Float32Array | undefined;

/** Normal numbers, the same again after each million: zeros would be multiplied faster than data is. */
export function randomNumbers(): Float32Array {
	pool ??= normalArray(1, 0, 2 ** 20);
	return pool;
}

/** The address of so many random float32. */
export function randomFloats(device: CudaDevice, take: TakeScratch, count: number): number {
	const numbers = randomNumbers();
	const address = take(4 * count);
	for (let i = 0; i < count; i += numbers.length) {
		const part = numbers.subarray(0, Math.min(numbers.length, count - i));
		device.driver.cuMemcpyHtoDAsync_v2(address + 4 * i, part, part.byteLength, device.stream);
	}
	return address;
}

/** The address of so many random bfloat16. */
export function randomHalves(device: CudaDevice, take: TakeScratch, count: number): number {
	const address = take(2 * count);
	const part = Math.min(count, randomNumbers().length);
	const floats = randomFloats(device, take, part);
	device.launchOver('convert', part, [
		address,
		storages.indexOf('bf16'),
		floats,
		storages.indexOf('f32'),
		part,
	]);
	for (let i = part; i < count; i += part) {
		device.driver.cuMemcpyDtoDAsync_v2(
			address + 2 * i,
			address,
			2 * Math.min(part, count - i),
			device.stream,
		);
	}
	return address;
}
