import type { Activation, Backend } from '../contract.ts';
import { elements } from '../view.ts';
import { type CudaDevice, kernelFor } from './device.ts';

export type ActivationGroup = Pick<
	Backend,
	'swiglu' | 'swigluBackward' | 'activation' | 'activationBackward'
>;

/** The order of `ActivationKind` in activations.cuh. */
const activationKinds: readonly Activation[] = ['gelu', 'geluTanh', 'tanh', 'silu'];

/** Activations and their derivatives. */
export function activationGroup(device: CudaDevice): ActivationGroup {
	const { values, launchOver } = device;
	return {
		swiglu(y, gate, up) {
			const count = elements(y.shape);
			const args = [...[y, gate, up].map(values), count];
			launchOver(kernelFor('swiglu', y, gate, up), Math.ceil(count / 8), args);
		},
		swigluBackward(dGate, dUp, dy, gate, up) {
			const count = elements(dy.shape);
			const tensors = [dGate, dUp, dy, gate, up] as const;
			const kernel = kernelFor('swigluBackward', ...tensors);
			launchOver(kernel, Math.ceil(count / 8), [...tensors.map(values), count]);
		},
		activation(kind, y, x) {
			const count = elements(y.shape);
			const args = [values(y), values(x), activationKinds.indexOf(kind), count];
			launchOver(kernelFor('activation', y, x), count, args);
		},
		activationBackward(kind, { view, accumulate }, dy, x) {
			const count = elements(dy.shape);
			const target = [values(view), Number(accumulate)];
			const rest = [values(dy), values(x), activationKinds.indexOf(kind), count];
			launchOver(kernelFor('activationBackward', view, dy, x), count, [...target, ...rest]);
		},
	};
}
