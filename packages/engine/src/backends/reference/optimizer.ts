import type { AdamWOptions, View } from '../contract.ts';
import { floatsOf } from './memory.ts';

/** Algorithm 2 of Loshchilov & Hutter 2019, with the decay multiplied by the learning rate, as PyTorch has it. */
export function adamW(
	parameters: View,
	gradients: View,
	firstMoment: View,
	secondMoment: View,
	options: AdamWOptions,
): void {
	const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
	const p = floatsOf(parameters);
	const g = floatsOf(gradients);
	const first = floatsOf(firstMoment);
	const second = floatsOf(secondMoment);
	const correction1 = 1 - beta1 ** step;
	const correction2 = 1 - beta2 ** step;
	const decay = 1 - learningRate * weightDecay;
	for (let i = 0; i < p.length; i++) {
		const gradient = g[i]! * gradientScale;
		const m = beta1 * first[i]! + (1 - beta1) * gradient;
		const v = beta2 * second[i]! + (1 - beta2) * gradient * gradient;
		first[i] = m;
		second[i] = v;
		p[i] = p[i]! * decay - (learningRate * (m / correction1)) / (Math.sqrt(v / correction2) + epsilon);
	}
}
