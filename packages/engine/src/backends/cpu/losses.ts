import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type FocalGroup = Pick<Backend, 'focalLoss' | 'focalOfNegLogP'>;

export function focalGroup(device: CpuDevice): FocalGroup {
	const { address, kernels } = device;
	return {
		focalLoss({ losses, probabilities, dLogits }, logits, labels, weights, { gamma, gradient }) {
			const [functions, classes] = logits.shape as readonly [number, number];
			kernels.focalLoss(
				device.engine,
				address(losses),
				address(probabilities),
				address(dLogits),
				address(logits),
				address(labels),
				address(weights),
				functions,
				classes,
				gamma,
				gradient === 'detached',
			);
		},
		focalOfNegLogP({ losses, derivative }, negLogP, weights, { gamma, gradient }) {
			kernels.focalOfNegLogP(
				device.engine,
				address(losses),
				address(derivative),
				address(negLogP),
				address(weights),
				elements(negLogP.shape),
				gamma,
				gradient === 'detached',
			);
		},
	};
}
