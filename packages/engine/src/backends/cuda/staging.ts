import { VulntuneError } from '../../errors.ts';
import { CardMemoryExhausted, type Driver } from './driver.ts';
import { createPool, type MemoryPool, type RawMemory, roundedSize } from './pool.ts';

/** What a step moves at once is less; where a copy is larger (a base that is loaded, a checkpoint), the host waits for it. */
const mostStaged = 4 * 2 ** 20;
/** What copies to the card may hold until the host waits for something. */
const mostOnTheWay = 64 * 2 ** 20;

/** Copies between the host and the card for which the host needn't wait: they go through memory that no one moves. */
export interface Staging {
	/** Copies to the card, behind the kernels before it; the source may be changed at once. */
	upload(address: number, source: ArrayBufferView): void;
	/** Copies to the host, behind the kernels before it. What it gives waits unless the host has waited for something later, and fills `values`. */
	download<Values extends ArrayBufferView>(values: Values, address: number): () => Values;
	/** Waits for all that was enqueued. */
	finish(): void;
	close(): void;
}

/** @param synchronize waits for the stream */
export function createStaging(driver: Driver, stream: unknown, synchronize: () => void): Staging {
	const pool = createHostPool(driver, finish);
	const views = new Map<number, Uint8Array>();
	let onTheWay: [address: number, bytes: number][] = [];
	let bytesOnTheWay = 0;
	let started = 0;
	let arrived = 0;

	function finish(): void {
		synchronize();
		arrived = started;
		for (const [address, bytes] of onTheWay) pool.give(address, bytes);
		onTheWay = [];
		bytesOnTheWay = 0;
	}

	/** The bytes of a block, which is as long whenever it is taken. */
	function viewOf(block: number, bytes: number): Uint8Array {
		const view = views.get(block) ?? driver.hostMemory(block, roundedSize(bytes));
		views.set(block, view);
		return view;
	}

	return {
		upload(address, source) {
			const bytes = source.byteLength;
			if (bytes === 0) return;
			if (bytes > mostStaged) {
				driver.cuMemcpyHtoDAsync_v2(address, source, bytes, stream);
				return;
			}
			if (bytesOnTheWay + bytes > mostOnTheWay) finish();
			const block = takeHostMemory(pool, bytes);
			const view = viewOf(block, bytes);
			view.set(bytesIn(source));
			driver.cuMemcpyHtoDAsync_v2(address, view, bytes, stream);
			onTheWay.push([block, bytes]);
			bytesOnTheWay += bytes;
		},
		download(values, address) {
			const bytes = values.byteLength;
			if (bytes === 0) return () => values;
			if (bytes > mostStaged) {
				driver.cuMemcpyDtoHAsync_v2(values, address, bytes, stream);
				finish();
				return () => values;
			}
			const block = takeHostMemory(pool, bytes);
			const view = viewOf(block, bytes);
			driver.cuMemcpyDtoHAsync_v2(view, address, bytes, stream);
			const ticket = ++started;
			let isRead = false;
			return () => {
				if (isRead) return values;
				if (ticket > arrived) finish();
				bytesIn(values).set(view.subarray(0, bytes));
				pool.give(block, bytes);
				isRead = true;
				return values;
			};
		},
		finish,
		close() {
			views.clear();
			pool.close();
		},
	};
}

/** Memory of the host that the card reaches by itself. */
export function createHostPool(driver: Driver, finish: () => void): MemoryPool {
	const memory: RawMemory = {
		allocate(bytes) {
			const address: [number] = [0];
			driver.cuMemAllocHost_v2(address, bytes);
			return Number(address[0]);
		},
		release: (address) => driver.cuMemFreeHost(address),
	};
	return createPool(memory, finish);
}

/** Takes from such a pool. Throws OUT_OF_MEMORY where the system locks no more memory. */
export function takeHostMemory(pool: MemoryPool, bytes: number): number {
	try {
		return pool.take(bytes);
	} catch (cause) {
		if (!(cause instanceof CardMemoryExhausted)) throw cause;
		throw new VulntuneError({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: `the system locks no ${(bytes / 2 ** 20).toFixed(1)} MiB more of its memory for copies to the card, beside ${(pool.reservedBytes / 2 ** 20).toFixed(1)} MiB that it has`,
			remedy:
				'Close what else uses memory, raise the limit of what may be locked (ulimit -l), or set training.checkpointing: true.',
			cause,
		});
	}
}

function bytesIn({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
	return new Uint8Array(buffer, byteOffset, byteLength);
}
