/** Where a worker that fails says so: shared memory, because the thread that waits for it handles no messages. */

const FLAG_BYTES = 4;
const TEXT_BYTES = 1024;

export function createWorkerFailure(): SharedArrayBuffer {
	return new SharedArrayBuffer(FLAG_BYTES + TEXT_BYTES);
}

/** The first worker that fails is heard. */
export function reportWorkerFailure(failure: SharedArrayBuffer, error: unknown): void {
	const text = new TextEncoder().encode(String(error)).subarray(0, TEXT_BYTES);
	if (Atomics.load(new Int32Array(failure, 0, 1), 0) !== 0) return;
	new Uint8Array(failure, FLAG_BYTES).set(text);
	Atomics.store(new Int32Array(failure, 0, 1), 0, text.length);
}

/** What a worker said; undefined while all goes well. */
export function readWorkerFailure(failure: SharedArrayBuffer): string | undefined {
	const length = Atomics.load(new Int32Array(failure, 0, 1), 0);
	return length === 0
		? undefined
		: new TextDecoder().decode(new Uint8Array(failure, FLAG_BYTES, length).slice());
}
