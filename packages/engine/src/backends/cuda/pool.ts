import { CardMemoryExhausted, type Driver } from './driver.ts';

/** Sizes are rounded up to an eighth of their power of two, so that memory given back fits what is asked for next. */
export function roundedSize(bytes: number): number {
	// most sizes have an exponent that a machine's instruction finds
	const exponent = bytes < 2 ** 31 ? 31 - Math.clz32(bytes) : Math.floor(Math.log2(bytes));
	const step = Math.max(512, 2 ** (exponent - 3));
	return Math.max(step, Math.ceil(bytes / step) * step);
}

/** Where a pool has its memory from. */
export interface RawMemory {
	/** The address of so many bytes; throws CardMemoryExhausted. */
	allocate(bytes: number): number;
	release(address: number): void;
}

/**
 * Memory that is asked for once and then used again: no allocation in a step after the first. All kernels run on one
 * stream, so memory may be given to the next owner while kernels of the last are still at work.
 */
export interface MemoryPool {
	/** The address of at least so many bytes; throws CardMemoryExhausted. */
	take(bytes: number): number;
	give(address: number, bytes: number): void;
	/** Bytes that were asked for, in use or not. */
	readonly reservedBytes: number;
	readonly peakReservedBytes: number;
	close(): void;
}

/** @param finish waits for what may still use memory that was given back */
export function createPool(memory: RawMemory, finish: () => void): MemoryPool {
	const unused = new Map<number, number[]>();
	const owned = new Map<number, number>();
	let reservedBytes = 0;
	let peakReservedBytes = 0;

	function allocate(size: number): number {
		const address = memory.allocate(size);
		owned.set(address, size);
		reservedBytes += size;
		peakReservedBytes = Math.max(peakReservedBytes, reservedBytes);
		return address;
	}

	function release(address: number): void {
		memory.release(address);
		reservedBytes -= owned.get(address)!;
		owned.delete(address);
	}

	function releaseUnused(): void {
		finish();
		for (const addresses of unused.values()) for (const address of addresses) release(address);
		unused.clear();
	}

	return {
		take(bytes) {
			const size = roundedSize(bytes);
			const reused = unused.get(size)?.pop();
			if (reused !== undefined) return reused;
			try {
				return allocate(size);
			} catch (error) {
				if (!(error instanceof CardMemoryExhausted)) throw error;
				releaseUnused();
				return allocate(size);
			}
		},
		give(address, bytes) {
			const size = roundedSize(bytes);
			const same = unused.get(size);
			if (same === undefined) unused.set(size, [address]);
			else same.push(address);
		},
		get reservedBytes() {
			return reservedBytes;
		},
		get peakReservedBytes() {
			return peakReservedBytes;
		},
		close() {
			for (const address of [...owned.keys()]) release(address);
			unused.clear();
		},
	};
}

/** The card's own memory. */
export function cardMemory(driver: Driver): RawMemory {
	return {
		allocate(bytes) {
			const address: [number] = [0];
			driver.cuMemAlloc_v2(address, bytes);
			return Number(address[0]);
		},
		release: (address) => driver.cuMemFree_v2(address),
	};
}
