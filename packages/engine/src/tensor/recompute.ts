import type { View } from '../backends/contract.ts';
import type { Context, Tensor } from './tensor.ts';

/**
 * How to make a tensor again from others that the tape keeps anyway. An op that needs such a tensor for its gradient
 * keeps the recipe in its place (Chen et al. 2016, for single cheap ops): the output of a norm costs a pass over its
 * input, and as many bytes as its input for as long as it is kept.
 */
export interface Recipe {
	/** What `make` reads. */
	readonly sources: readonly View[];
	/** Writes the same bytes as in the forward pass. */
	readonly make: (target: View) => void;
	/** Ops whose gradients need the tensor. */
	waiting: number;
	/** The tensor made again, from the first of those ops in the backward pass until the last. */
	remade: View | undefined;
}

/** An op's input as its gradient rule gets it back. */
export interface KeptInput {
	/** What the tape must keep alive for it. */
	readonly saved: readonly View[];
	/** Lends the input's values to `body`; must be called once, in the backward pass. */
	use(context: Context, body: (input: View) => void): void;
}

/**
 * The op's output with the recipe by which later ops may drop it. Where the op isn't recorded there is none: nothing
 * would keep the sources.
 */
export function recomputable(
	context: Context,
	output: Tensor,
	sources: readonly View[],
	make: (target: View) => void,
): Tensor {
	if (context.tape === undefined || !output.tracked) return output;
	return { ...output, recipe: { sources, make, waiting: 0, remade: undefined } };
}

/** Keeps an input for the gradient of one op: its recipe if it has one, else its values. */
export function keepInput(x: Tensor): KeptInput {
	const { recipe } = x;
	if (recipe === undefined) return { saved: [x], use: (_, body) => body(x) };
	recipe.waiting += 1;
	return {
		saved: recipe.sources,
		use({ arena }, body) {
			if (recipe.remade === undefined) {
				recipe.remade = arena.allocate(x.dtype, x.shape);
				recipe.make(recipe.remade);
			}
			body(recipe.remade);
			recipe.waiting -= 1;
			if (recipe.waiting > 0) return;
			arena.release(recipe.remade);
			recipe.remade = undefined;
		},
	};
}
