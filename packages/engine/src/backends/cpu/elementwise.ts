import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';
import { kernelsOf } from './native.ts';

export type ElementwiseGroup = Pick<Backend, 'fill' | 'add'>;

interface ElementwiseKernels {
	fill(engine: number, target: number, length: number, value: number): void;
	add(engine: number, sum: number, a: number, b: number, length: number): void;
}

export function elementwiseGroup(device: CpuDevice): ElementwiseGroup {
	const kernels = kernelsOf<ElementwiseKernels>(device.addon);
	return {
		fill(target, value) {
			kernels.fill(device.engine, device.address(target), elements(target.shape), value);
		},
		add(sum, a, b) {
			kernels.add(
				device.engine,
				device.address(sum),
				device.address(a),
				device.address(b),
				elements(sum.shape),
			);
		},
	};
}
