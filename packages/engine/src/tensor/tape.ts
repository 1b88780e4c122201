import type { View } from '../backends/contract.ts';
import { VulntuneError } from '../errors.ts';
import { Gradients } from './gradients.ts';
import type { Context, Tensor } from './tensor.ts';

/** One recorded op: what it made from what, and what its gradient rule needs. */
export interface TapeNode {
	readonly name: string;
	readonly output: Tensor;
	/** Kept alive until the node's gradient has been computed. */
	readonly saved: readonly View[];
	/** The vector-Jacobian product: reads dOutput, writes through `gradients`. */
	readonly backward: ((gradients: Gradients, dOutput: View) => void) | undefined;
}

/**
 * The list of ops of a forward pass, in order. `backward` walks it from the end; each node's saved tensors are
 * released as soon as its gradient is done.
 */
export class Tape {
	readonly #nodes: TapeNode[] = [];

	record(context: Context, node: TapeNode): void {
		for (const view of node.saved) context.arena.retain(view);
		this.#nodes.push(node);
	}

	/**
	 * Adds ∂output·dOutput to the gradients of every trainable parameter that `output` depends on.
	 *
	 * @param dOutput f32 of the output's shape
	 * @param initial gradients to continue with; a checkpointed block passes the one of its input
	 * @throws VulntuneError NO_GRADIENT_RULE for an op that can't be differentiated
	 */
	backward(context: Context, output: Tensor, dOutput: View, initial?: Gradients): void {
		const gradients = initial ?? new Gradients(context);
		gradients.pass(output, dOutput);
		for (let node = this.#nodes.pop(); node !== undefined; node = this.#nodes.pop()) {
			const dNode = gradients.take(node.output);
			if (dNode !== undefined) {
				if (node.backward === undefined) throw missingRule(node.name);
				node.backward(gradients, dNode);
				context.arena.release(dNode);
			}
			for (const view of node.saved) context.arena.release(view);
		}
	}
}

function missingRule(name: string): VulntuneError {
	return new VulntuneError({
		code: 'NO_GRADIENT_RULE',
		kind: 'runtime',
		message: `the op ${name} has no gradient rule for an input that is trainable`,
		remedy: 'freeze that input, or add the rule to the file of the op',
	});
}
