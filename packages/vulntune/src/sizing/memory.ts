import os from 'node:os';

/** Bytes that this process may use. A container's limit counts only where it is below what the machine has: without one the system reports a huge number. */
export function availableMemory(): number {
	const limit = process.constrainedMemory();
	return limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
}
