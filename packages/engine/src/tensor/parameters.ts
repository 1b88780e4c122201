import type { Backend, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';
import { VulntuneError } from '../errors.ts';
import type { Tensor } from './tensor.ts';

export interface ParameterSpec {
	readonly name: string;
	readonly shape: readonly number[];
}

/**
 * The trainable parameters of a run, in one flat buffer, with their gradients in another of the same layout: the
 * optimiser is one call, and so is an all-reduce over several machines.
 */
export interface Parameters {
	/** In the order of the flat buffer. */
	readonly specs: readonly ParameterSpec[];
	/** f32 [total] */
	readonly values: View;
	/** f32 [total]: what backward passes add to. */
	readonly gradients: View;
	/** The parameter as a tensor whose gradient lies in `gradients`. Throws for an unknown name. */
	get(name: string): Tensor;
	has(name: string): boolean;
	free(): void;
}

/** Allocates parameters with undefined values and gradients of zero. Names must differ. */
export function createParameters(backend: Backend, specs: readonly ParameterSpec[]): Parameters {
	const total = specs.reduce((sum, spec) => sum + elements(spec.shape), 0);
	const values = viewOf(backend.allocate('f32', total), [total]);
	const gradients = viewOf(backend.allocate('f32', total), [total]);
	backend.fill(gradients, 0);
	const tensors = new Map<string, Tensor>();
	let offset = 0;
	for (const { name, shape } of specs) {
		const gradient = viewOf(gradients.buffer, shape, offset);
		tensors.set(name, { ...viewOf(values.buffer, shape, offset), tracked: true, gradient });
		offset += elements(shape);
	}
	return {
		specs,
		values,
		gradients,
		get(name) {
			const tensor = tensors.get(name);
			if (tensor !== undefined) return tensor;
			throw new VulntuneError({
				code: 'UNKNOWN_PARAMETER',
				kind: 'runtime',
				message: `there is no trainable parameter ${name}`,
			});
		},
		has: (name) => tensors.has(name),
		free() {
			backend.free(values.buffer);
			backend.free(gradients.buffer);
		},
	};
}
