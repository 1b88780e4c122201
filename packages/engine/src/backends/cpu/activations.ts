import type { Activation, Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type ActivationGroup = Pick<
	Backend,
	'swiglu' | 'swigluBackward' | 'activation' | 'activationBackward'
>;

/** The numbers by which activation.h knows its functions. */
const kinds: Readonly<Record<Activation, number>> = { gelu: 0, geluTanh: 1, tanh: 2, silu: 3 };

export function activationGroup(device: CpuDevice): ActivationGroup {
	const { address, kernels } = device;
	return {
		swiglu(y, gate, up) {
			kernels.swiglu(device.engine, address(y), address(gate), address(up), elements(y.shape));
		},
		swigluBackward(dGate, dUp, dy, gate, up) {
			kernels.swigluBackward(
				device.engine,
				address(dGate),
				address(dUp),
				address(dy),
				address(gate),
				address(up),
				elements(dy.shape),
			);
		},
		activation(kind, y, x) {
			kernels.activation(device.engine, kinds[kind], address(y), address(x), elements(x.shape));
		},
		activationBackward(kind, dx, dy, x) {
			kernels.activationBackward(
				device.engine,
				kinds[kind],
				address(dx.view),
				dx.accumulate,
				address(dy),
				address(x),
				elements(x.shape),
			);
		},
	};
}
