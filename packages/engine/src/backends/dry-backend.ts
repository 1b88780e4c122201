import type { Backend, Device, DeviceBuffer, HostArray, MemoryUse, View } from './contract.ts';
import { HOST_ARRAYS } from './contract.ts';
import type { Card } from './cuda/card.ts';
import { createDeviceOf } from './cuda/create-device.ts';
import { cudaBackendOn } from './cuda/cuda.ts';
import { dryDriver } from './cuda/dry-driver.ts';
import { downloadsAtOnce } from './downloads.ts';
import { createDryHeap } from './dry-heap.ts';
import { kernelNames } from './method-groups.ts';
import { bytesOf, uploadedBytes } from './owned-buffers.ts';
import { sharedZeros } from './shared-zeros.ts';
import { elements } from './view.ts';

/** A card as far as the memory of a run depends on it. */
export type DryCard = Pick<Card, 'name' | 'capability' | 'multiprocessors' | 'memoryBytes'>;

/**
 * A backend that computes nothing: kernels return at once, what is downloaded is zeros, and its memory is only counted. A step that is
 * rehearsed on it asks for the memory that a step takes, in milliseconds and on a machine that need not have it.
 */
export function createDryBackend(): Backend {
	const kernels = Object.fromEntries(kernelNames.map((name) => [name, () => 0]));
	const host = {
		name: 'dry',
		description: 'counts memory, computes nothing',
		hardware: {},
		...kernels,
		...countedMemory(),
		quantizeTable4: () => -1,
	};
	return host as unknown as Backend;
}

/** The same of a card: the cuda backend itself, with its pool and scratch memory, over a driver that has none. Throws OUT_OF_MEMORY. */
export function createDryCardBackend(card: DryCard): Backend {
	const whole: Card = { ...card, ordinal: 0, driver: 'none', handle: 0 };
	const backend = cudaBackendOn(createDeviceOf(dryDriver(card.memoryBytes), whole, 'auto'));
	return {
		...backend,
		// the card's own would carry zeros through memory that they wait in, a base of them
		upload: (target, source) => void uploadedBytes(target, source),
		...downloadsAtOnce(zerosOf),
		quantizeTable4(...values) {
			backend.quantizeTable4(...values);
			return -1;
		},
	};
}

/** Nothing of a rehearsal writes into what it downloads. */
function zerosOf({ dtype, shape }: View): HostArray {
	const length = elements(shape);
	return new HOST_ARRAYS[dtype](sharedZeros(bytesOf(dtype, length)), 0, length);
}

function countedMemory(): Device {
	const heap = createDryHeap();
	const blocks = new Map<DeviceBuffer, number>();
	let liveBytes = 0;
	let peakBytes = 0;
	const bytesIn = ({ dtype, length }: DeviceBuffer) => bytesOf(dtype, length);
	return {
		allocate(dtype, length) {
			const buffer: DeviceBuffer = { dtype, length };
			blocks.set(buffer, heap.take(bytesIn(buffer)));
			liveBytes += bytesIn(buffer);
			peakBytes = Math.max(peakBytes, liveBytes);
			return buffer;
		},
		free(buffer) {
			heap.give(blocks.get(buffer)!);
			blocks.delete(buffer);
			liveBytes -= bytesIn(buffer);
		},
		upload() {},
		...downloadsAtOnce(zerosOf),
		memory: (): MemoryUse => ({
			...{ liveBuffers: blocks.size, liveBytes, peakBytes },
			pool: { heldBytes: heap.heldBytes, peakHeldBytes: heap.peakHeldBytes },
		}),
		activationType: () => 'f32',
		keepsDoubleScales: false,
		close() {},
	};
}
