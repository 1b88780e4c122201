import type { Destination, View } from '../backends/contract.ts';
import type { Context, Tensor } from './tensor.ts';

/**
 * Where the gradients of intermediate tensors lie during a backward pass. A gradient that several tensors share
 * (both sides of a sum) is one buffer until one of them has to be added to; then that one gets its own copy.
 */
export class Gradients {
	readonly #context: Context;
	readonly #views = new Map<Tensor, View>();

	constructor(context: Context) {
		this.#context = context;
	}

	/**
	 * Where an op writes the gradient of one of its inputs; undefined where none is wanted. Whoever asks must
	 * write, adding where the destination says so.
	 */
	into(tensor: Tensor): Destination | undefined {
		if (!tensor.tracked) return undefined;
		if (tensor.gradient !== undefined) return { view: tensor.gradient, accumulate: true };
		const { arena } = this.#context;
		const present = this.#views.get(tensor);
		if (present === undefined) {
			const view = arena.allocate(tensor.dtype, tensor.shape);
			this.#views.set(tensor, view);
			return { view, accumulate: false };
		}
		return { view: this.#unshared(tensor, present), accumulate: true };
	}

	/** Says that the gradient of `tensor` is (also) `gradient`, without copying where that can be helped. */
	pass(tensor: Tensor, gradient: View): void {
		if (!tensor.tracked) return;
		if (tensor.gradient === undefined && !this.#views.has(tensor)) {
			this.#context.arena.retain(gradient);
			this.#views.set(tensor, { ...gradient, shape: tensor.shape });
			return;
		}
		const target = this.into(tensor);
		if (target !== undefined) this.#context.backend.addScaled(target.view, gradient, 1);
	}

	/** Removes and returns the gradient of an op's output; the caller releases it. Undefined if none came. */
	take(tensor: Tensor): View | undefined {
		const view = this.#views.get(tensor);
		this.#views.delete(tensor);
		return view;
	}

	#unshared(tensor: Tensor, view: View): View {
		const { arena, backend } = this.#context;
		if (arena.holders(view) === 1) return view;
		const own = arena.allocate(tensor.dtype, tensor.shape);
		backend.copy(own, view);
		arena.release(view);
		this.#views.set(tensor, own);
		return own;
	}
}
