import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

/** AdamW over flat buffers. What is the same for all elements is computed here, in float64. */
export function optimizerGroup(device: CudaDevice): Pick<Backend, 'adamW'> {
	return {
		adamW(parameters, gradients, firstMoment, secondMoment, options) {
			const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
			const count = elements(parameters.shape);
			device.launchOver('adamW', count, [
				...[parameters, gradients, firstMoment, secondMoment].map(device.floats),
				...[count, learningRate, beta1, beta2, 1 - beta1, 1 - beta2, epsilon],
				...[1 - learningRate * weightDecay, 1 - beta1 ** step, 1 - beta2 ** step, gradientScale],
			]);
		},
	};
}
