import { viewOf } from '@vulntune/engine';
import type { VectorCommunicator } from '../communication/communicator.ts';
import { addInOrder } from '../communication/ordered-sum.ts';
import type { Optimizer } from './optimizer.ts';

/** What the gradients of a step add up in, pack by pack. */
export interface GradientSum {
	/** Adds the gradients of a round, a pack's in each process or none, and makes them zero again. */
	add(): Promise<void>;
	/** Puts the sum where the optimiser and a checkpoint look for it, and begins anew with nothing. */
	give(): void;
	free(): void;
}

/**
 * Adds whole gradients of packs to each other, and never a pack's terms to what is there: the sum of a step is then the same
 * whichever process computed which pack. What lies in the optimiser's gradients is where it begins: a run may have stopped in the
 * middle of a step.
 */
export function createGradientSum(
	{ backend, gradients }: Optimizer,
	communicator: VectorCommunicator,
): GradientSum {
	const total = viewOf(backend.allocate('f32', gradients.shape[0]!), gradients.shape); // [total]
	backend.copy(total, gradients);
	backend.fill(gradients, 0);
	return {
		async add() {
			await addInOrder(communicator, backend, total, gradients);
			backend.fill(gradients, 0);
		},
		give() {
			backend.copy(gradients, total);
			backend.fill(total, 0);
		},
		free: () => backend.free(total.buffer),
	};
}
