import type { View } from '../backends/contract.ts';
import { Arena } from './arena.ts';
import { Gradients } from './gradients.ts';
import { Tape } from './tape.ts';
import type { Context, Tensor } from './tensor.ts';

/**
 * What a block leaves for the backward pass: all of its tensors (`false`), its input alone, or that in the host's memory. The last two
 * compute the block again; none changes a byte.
 */
export type Checkpointing = boolean | 'host';

/**
 * Runs `block` without keeping its intermediate tensors and runs it again in the backward pass (Chen et al.
 * 2016): memory of one block at a time for one more forward pass. `block` must compute the same each time; it
 * may not release its input.
 *
 * @param uses what else of the pass the block reads, so that it is still there the second time; no gradient flows to
 *   these, only to the input and to trainable parameters
 * @param onHost keeps the input in the host's memory meanwhile, where the backend has memory of its own
 */
export function checkpoint(
	context: Context,
	input: Tensor,
	uses: readonly View[],
	block: (context: Context, input: Tensor) => Tensor,
	onHost = false,
): Tensor {
	const output = scoped(context, (inner) => block({ ...inner, tape: undefined }, input));
	const { tape } = context;
	if (tape === undefined || !output.tracked) return output;
	const kept = onHost ? context.arena.keepOnHost(input) : undefined;
	tape.record(context, {
		name: 'checkpoint',
		output,
		saved: kept === undefined ? [input, ...uses] : uses,
		backward: (gradients, dOutput) => {
			const arena = new Arena(context.backend);
			try {
				const tape = new Tape();
				const inner: Context = { ...context, arena, tape };
				const start =
					kept === undefined ? input : { ...input, ...arena.restore(context.arena, kept, input.shape) };
				const again = block(inner, start);
				// the block's input has its gradient in the outer pass, its own tensors have theirs in the inner one
				const innerGradients = new Gradients(inner);
				tape.backward(inner, again, dOutput, innerGradients);
				const dInput = innerGradients.take(start);
				if (dInput === undefined) return;
				arena.moveTo(context.arena, dInput);
				gradients.pass(input, dInput);
				context.arena.release(dInput);
			} finally {
				arena.close();
			}
		},
	});
	return output;
}

/** Runs `body` in an arena of its own and keeps only its result. */
export function scoped(context: Context, body: (context: Context) => Tensor): Tensor {
	const arena = new Arena(context.backend);
	try {
		const result = body({ ...context, arena });
		arena.moveTo(context.arena, result);
		return result;
	} finally {
		arena.close();
	}
}
