import type { DataType, Device, HostCopy, View } from '../contract.ts';
import { bytesOf } from '../owned-buffers.ts';
import { elements } from '../view.ts';
import type { CudaBuffer, CudaDevice } from './device.ts';
import { createHostPool, takeHostMemory } from './staging.ts';

/** CU_EVENT_DISABLE_TIMING */
const withoutTiming = 2;

/** Views that are kept in the host's memory, copied there and back behind the kernels. */
export interface HostCopies {
	readonly keep: NonNullable<Device['keepOnHost']>;
	/** Takes the memory of a freed buffer, for the pool as soon as no copy reads it. */
	give(address: number, bytes: number): void;
	/** Of the host's memory. */
	readonly heldBytes: number;
	close(): void;
}

/** A view that was kept. */
interface Kept {
	readonly dtype: DataType;
	readonly length: number;
	readonly bytes: number;
	/** In the host's memory. */
	readonly memory: number;
	/** Where it is copied back to, and what that ends with. */
	arriving?: { readonly address: number; readonly event: unknown };
}

/** The last view that was kept: its memory is read until `event`. */
interface Leaving {
	readonly kept: Kept;
	readonly address: number;
	readonly event: unknown;
	/** Bytes of its buffer, which was freed meanwhile. */
	freed?: number;
}

/**
 * Copies run on a stream of their own. They wait for the kernels that were enqueued before them, and kernels wait for a copy where they
 * need what it brings or the memory that it reads: no earlier than the next view is kept, so that it has the time of a block to end. What
 * was kept last is wanted back first; as it comes, the one before it is fetched. Nothing depends on how fast anything is.
 *
 * @param take memory of the card, or an error that says what for
 */
export function createHostCopies(
	device: CudaDevice,
	copies: unknown,
	take: (bytes: number, what: () => string) => number,
): HostCopies {
	const { driver, stream: kernels, pool } = device;
	const hostPool = createHostPool(driver, () => driver.cuStreamSynchronize(copies));
	const events: unknown[] = [];
	const order: Kept[] = [];
	let leaving: Leaving | undefined;

	function eventOn(stream: unknown): unknown {
		const made: [unknown] = [events.pop()];
		if (made[0] === undefined) driver.cuEventCreate(made, withoutTiming);
		driver.cuEventRecord(made[0], stream);
		return made[0];
	}

	function waitFor(event: unknown, stream: unknown): void {
		driver.cuStreamWaitEvent(stream, event, 0);
		events.push(event);
	}

	/** Lets kernels use what the last copy to the host reads. */
	function settle(): void {
		if (leaving === undefined) return;
		const { address, event, freed } = leaving;
		waitFor(event, kernels);
		leaving = undefined;
		if (freed !== undefined) pool.give(address, freed);
	}

	function fetch(kept: Kept): NonNullable<Kept['arriving']> {
		const address = take(kept.bytes, () => 'the input of a block, back from the host');
		// kernels of the memory's last owner may still be at work
		waitFor(eventOn(kernels), copies);
		driver.cuMemcpyHtoDAsync_v2(address, BigInt(kept.memory), kept.bytes, copies);
		kept.arriving = { address, event: eventOn(copies) };
		return kept.arriving;
	}

	/** The address of what was kept; kernels from now on find it there. */
	function bringBack(kept: Kept): number {
		if (leaving?.kept === kept && leaving.freed === kept.bytes) {
			const { address, event } = leaving;
			waitFor(event, kernels);
			leaving = undefined;
			return address;
		}
		const { address, event } = kept.arriving ?? fetch(kept);
		waitFor(event, kernels);
		return address;
	}

	/** Forgets it; its memory on the host is next written on the stream that reads it last. */
	function drop(kept: Kept): void {
		order.splice(order.indexOf(kept), 1);
		hostPool.give(kept.memory, kept.bytes);
	}

	function keep(view: View): HostCopy {
		settle();
		const length = elements(view.shape);
		const bytes = bytesOf(view.dtype, length);
		const memory = takeHostMemory(hostPool, bytes);
		waitFor(eventOn(kernels), copies);
		driver.cuMemcpyDtoHAsync_v2(BigInt(memory), device.address(view), bytes, copies);
		const kept: Kept = { dtype: view.dtype, length, bytes, memory };
		leaving = { kept, address: (view.buffer as CudaBuffer).address, event: eventOn(copies) };
		order.push(kept);
		let isOpen = true;
		return {
			restore() {
				const address = bringBack(kept);
				drop(kept);
				isOpen = false;
				const next = order.at(-1);
				if (next !== undefined && next.arriving === undefined && leaving?.kept !== next) fetch(next);
				return device.buffers.adopt(kept.dtype, kept.length, address);
			},
			free() {
				if (!isOpen) return;
				isOpen = false;
				if (leaving?.kept === kept) settle();
				if (kept.arriving !== undefined) {
					waitFor(kept.arriving.event, kernels);
					pool.give(kept.arriving.address, kept.bytes);
				}
				drop(kept);
			},
		};
	}

	return {
		keep,
		give(address, bytes) {
			if (leaving?.address === address) leaving.freed = bytes;
			else pool.give(address, bytes);
		},
		get heldBytes() {
			return hostPool.reservedBytes;
		},
		close() {
			for (const { arriving } of order) if (arriving !== undefined) events.push(arriving.event);
			if (leaving !== undefined) events.push(leaving.event);
			for (const event of events) driver.cuEventDestroy_v2(event);
			driver.cuStreamDestroy_v2(copies);
			hostPool.close();
		},
	};
}
