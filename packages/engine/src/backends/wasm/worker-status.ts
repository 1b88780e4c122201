/**
 * What the workers of an engine tell: shared memory, because the thread that runs kernels handles no messages.
 * Int32: bytes of the text that a worker failed with, then how many workers have ended; then the text.
 */

const TEXT_START = 8;
const TEXT_BYTES = 1024;

export function createWorkerStatus(): SharedArrayBuffer {
	return new SharedArrayBuffer(TEXT_START + TEXT_BYTES);
}

/** The first worker that fails is heard. */
export function reportWorkerFailure(status: SharedArrayBuffer, error: unknown): void {
	const text = new TextEncoder().encode(String(error)).subarray(0, TEXT_BYTES);
	const numbers = new Int32Array(status, 0, 2);
	if (Atomics.load(numbers, 0) !== 0) return;
	new Uint8Array(status, TEXT_START).set(text);
	Atomics.store(numbers, 0, text.length);
}

/** What a worker said; undefined while all goes well. */
export function readWorkerFailure(status: SharedArrayBuffer): string | undefined {
	const length = Atomics.load(new Int32Array(status, 0, 2), 0);
	return length === 0
		? undefined
		: new TextDecoder().decode(new Uint8Array(status, TEXT_START, length).slice());
}

/** Called by a worker that will not touch the engine's memory again. */
export function reportWorkerEnd(status: SharedArrayBuffer): void {
	Atomics.add(new Int32Array(status, 0, 2), 1, 1);
}

export function endedWorkers(status: SharedArrayBuffer): number {
	return Atomics.load(new Int32Array(status, 0, 2), 1);
}
