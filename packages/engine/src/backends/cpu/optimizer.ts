import type { AdamWOptions, Backend, QuantizedMoment } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type OptimizerGroup = Pick<Backend, 'adamW' | 'adamW8bit'>;

export function optimizerGroup(device: CpuDevice): OptimizerGroup {
	const { address, kernels } = device;
	const momentOf = ({ codes, absmax, codebook }: QuantizedMoment) =>
		[address(codes), address(absmax), address(codebook)] as const;
	return {
		adamW(parameters, gradients, firstMoment, secondMoment, options) {
			kernels.adamW(
				device.engine,
				address(parameters),
				address(gradients),
				address(firstMoment),
				address(secondMoment),
				elements(parameters.shape),
				...numbersOf(options),
			);
		},
		adamW8bit(parameters, gradients, firstMoment, secondMoment, options) {
			kernels.adamW8bit(
				device.engine,
				address(parameters),
				address(gradients),
				...momentOf(firstMoment),
				...momentOf(secondMoment),
				elements(parameters.shape),
				...numbersOf(options),
			);
		},
	};
}

/** What is the same for all elements, as the kernels take it. */
function numbersOf({ learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale }: AdamWOptions) {
	const keep = 1 - learningRate * weightDecay;
	const stepSize = learningRate / (1 - beta1 ** step);
	return [beta1, beta2, epsilon, keep, stepSize, Math.sqrt(1 - beta2 ** step), gradientScale] as const;
}
