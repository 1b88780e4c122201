import type { Backend, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';
import { VulntuneError } from '../errors.ts';
import { allocateTogether } from './allocate-together.ts';
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

/**
 * Allocates parameters with undefined values and gradients of zero. Throws DUPLICATE_PARAMETER where two have the same
 * name: the second would take the first one's place and leave its values out of reach.
 */
export function createParameters(backend: Backend, specs: readonly ParameterSpec[]): Parameters {
	const names = new Set<string>();
	for (const { name } of specs) {
		if (names.has(name))
			throw parameterError('DUPLICATE_PARAMETER', `two trainable parameters are named ${name}`);
		names.add(name);
	}
	const total = specs.reduce((sum, spec) => sum + elements(spec.shape), 0);
	const [values, gradients] = allocateTogether(backend, (allocate) => {
		const pair = [allocate('f32', [total]), allocate('f32', [total])] as const;
		backend.fill(pair[1], 0);
		return pair;
	});
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
			throw parameterError('UNKNOWN_PARAMETER', `there is no trainable parameter ${name}`);
		},
		has: (name) => tensors.has(name),
		free() {
			backend.free(values.buffer);
			backend.free(gradients.buffer);
		},
	};
}

function parameterError(code: string, message: string): VulntuneError {
	return new VulntuneError({ code, kind: 'runtime', message });
}
