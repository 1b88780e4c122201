import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CudaDevice } from './device.ts';

export type FocalGroup = Pick<Backend, 'focalLoss' | 'focalOfNegLogP'>;

/** Losses over few classes. */
export function focalGroup(device: CudaDevice): FocalGroup {
	const { floats, launchOver } = device;
	return {
		focalLoss({ losses, probabilities, dLogits }, logits, labels, weights, { gamma, gradient }) {
			const [functions, classes] = logits.shape as [number, number];
			launchOver('focalLoss', functions, [
				...[losses, probabilities, dLogits, logits].map(floats),
				...[device.address(labels), floats(weights)],
				...[functions, classes, gamma, Number(gradient === 'detached')],
			]);
		},
		focalOfNegLogP({ losses, derivative }, negLogP, weights, { gamma, gradient }) {
			const rows = elements(negLogP.shape);
			const tensors = [losses, derivative, negLogP, weights].map(floats);
			launchOver('focalOfNegLogP', rows, [...tensors, rows, gamma, Number(gradient === 'detached')]);
		},
	};
}
