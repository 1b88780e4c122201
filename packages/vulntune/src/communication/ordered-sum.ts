import { type Backend, elements, type View } from '@vulntune/engine';
import type { VectorCommunicator } from './communicator.ts';

/**
 * total += the vectors of all processes, one after the other in the order of their ranks: what one process would add up that had
 * computed them all, to the byte. Zeros of a process that has computed none change nothing. Each process adds up its own stretch and then gives it to all, so that as much goes over
 * the network as in any all-reduce: (size − 1) / size of the vector, twice.
 *
 * @param total f32 [length], the same in every process, before and after
 * @param part f32 [length], what this process adds
 */
export async function addInOrder(
	communicator: VectorCommunicator,
	backend: Backend,
	total: View,
	part: View,
): Promise<void> {
	const own = communicator.stretch(total);
	for (const stretch of await communicator.collect(part)) {
		if (elements(own.shape) > 0) backend.add(own, own, stretch);
	}
	await communicator.spread(total);
}
