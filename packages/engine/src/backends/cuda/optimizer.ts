import { type AdamWOptions, type Backend, MOMENTS_PER_BLOCK, type QuantizedMoment } from '../contract.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

/** AdamW over flat buffers. What is the same for all elements is computed here, in float64. */
export function optimizerGroup(device: CudaDevice): Pick<Backend, 'adamW' | 'adamW8bit'> {
	const { address, floats } = device;
	const momentOf = ({ codes, absmax, codebook }: QuantizedMoment) => [
		address(codes),
		floats(absmax),
		floats(codebook),
	];
	return {
		adamW(parameters, gradients, firstMoment, secondMoment, options) {
			const count = elements(parameters.shape);
			const vectors = [parameters, gradients, firstMoment, secondMoment].map(floats);
			device.launchOver('adamW', count, [...vectors, count, ...numbersOf(options)]);
		},
		adamW8bit(parameters, gradients, firstMoment, secondMoment, options) {
			const count = elements(parameters.shape);
			const vectors = [floats(parameters), floats(gradients)];
			const moments = [...momentOf(firstMoment), ...momentOf(secondMoment)];
			const blocks = Math.ceil(count / MOMENTS_PER_BLOCK);
			const args = [...vectors, ...moments, count, ...numbersOf(options)];
			if (blocks > 0) device.launch('adamW8bit', [blocks], MOMENTS_PER_BLOCK, args);
		},
	};
}

function numbersOf({ learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale }: AdamWOptions) {
	return [
		...[learningRate, beta1, beta2, 1 - beta1, 1 - beta2, epsilon],
		...[1 - learningRate * weightDecay, 1 - beta1 ** step, 1 - beta2 ** step, gradientScale],
	];
}
