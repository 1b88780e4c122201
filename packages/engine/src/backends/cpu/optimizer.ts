import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type OptimizerGroup = Pick<Backend, 'adamW'>;

export function optimizerGroup(device: CpuDevice): OptimizerGroup {
	const { address, kernels } = device;
	return {
		adamW(parameters, gradients, firstMoment, secondMoment, options) {
			const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
			kernels.adamW(
				device.engine,
				address(parameters),
				address(gradients),
				address(firstMoment),
				address(secondMoment),
				elements(parameters.shape),
				beta1,
				beta2,
				epsilon,
				1 - learningRate * weightDecay,
				learningRate / (1 - beta1 ** step),
				Math.sqrt(1 - beta2 ** step),
				gradientScale,
			);
		},
	};
}
