import { CardMemoryExhausted, type Driver, driverFunctions } from './driver.ts';

/** Where the first allocation lies: 0 stands for nothing. */
const firstAddress = 2 ** 32;

/**
 * A driver of a card that isn't there: it hands out addresses within so many bytes, and nothing is computed or copied. What the
 * backend asks of it is what it would ask of the card.
 */
export function dryDriver(memoryBytes: number): Driver {
	const owned = new Map<number, number>();
	let used = 0;
	let next = firstAddress;
	const idle = Object.fromEntries(driverFunctions.map((name) => [name, () => {}])) as unknown as Driver;
	return {
		...idle,
		cuMemAlloc_v2(address, bytes) {
			if (used + bytes > memoryBytes) throw new CardMemoryExhausted();
			address[0] = next;
			owned.set(next, bytes);
			used += bytes;
			next += bytes;
		},
		cuMemFree_v2(address) {
			used -= owned.get(address) ?? 0;
			owned.delete(address);
		},
		cuMemGetInfo_v2(free, total) {
			free[0] = memoryBytes - used;
			total[0] = memoryBytes;
		},
		cuMemAllocHost_v2(address, bytes) {
			address[0] = next;
			next += bytes;
		},
		addressOf: () => 0n,
		hostMemory: (_address, bytes) => new Uint8Array(bytes),
	};
}
