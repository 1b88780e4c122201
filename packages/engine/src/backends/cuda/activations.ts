import type { Activation, Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

export type ActivationGroup = Pick<
	Backend,
	'swiglu' | 'swigluBackward' | 'activation' | 'activationBackward'
>;

/** The order of `ActivationKind` in activations.cuh. */
const activationKinds: readonly Activation[] = ['gelu', 'geluTanh', 'tanh', 'silu'];

/** Activations and their derivatives. */
export function activationGroup(device: CudaDevice): ActivationGroup {
	const { floats, launchOver } = device;
	return {
		swiglu(y, gate, up) {
			const count = elements(y.shape);
			launchOver('swiglu', count, [floats(y), floats(gate), floats(up), count]);
		},
		swigluBackward(dGate, dUp, dy, gate, up) {
			const count = elements(dy.shape);
			const args = [dGate, dUp, dy, gate, up].map(floats);
			launchOver('swigluBackward', count, [...args, count]);
		},
		activation(kind, y, x) {
			const count = elements(y.shape);
			launchOver('activation', count, [floats(y), floats(x), activationKinds.indexOf(kind), count]);
		},
		activationBackward(kind, { view, accumulate }, dy, x) {
			const count = elements(dy.shape);
			const target = [floats(view), Number(accumulate)];
			const rest = [floats(dy), floats(x), activationKinds.indexOf(kind), count];
			launchOver('activationBackward', count, [...target, ...rest]);
		},
	};
}
