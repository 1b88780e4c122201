import type { Backend } from '../contract.ts';
import { checkLabels } from '../index-checks.ts';
import { elements } from '../view.ts';
import { type CpuDevice, integersOf } from './device.ts';
import { kernelsOf } from './native.ts';

export type FocalGroup = Pick<Backend, 'focalLoss' | 'focalOfNegLogP'>;

interface FocalKernels {
	focalLoss(
		engine: number,
		losses: number,
		probabilities: number,
		dLogits: number,
		logits: number,
		labels: number,
		weights: number,
		functions: number,
		classes: number,
		gamma: number,
		detached: boolean,
	): void;
	focalOfNegLogP(
		engine: number,
		losses: number,
		derivative: number,
		negLogP: number,
		weights: number,
		rows: number,
		gamma: number,
		detached: boolean,
	): void;
}

export function focalGroup(device: CpuDevice): FocalGroup {
	const kernels = kernelsOf<FocalKernels>(device.addon);
	const { address } = device;
	return {
		focalLoss({ losses, probabilities, dLogits }, logits, labels, weights, { gamma, gradient }) {
			const [functions, classes] = logits.shape as readonly [number, number];
			checkLabels(integersOf(device, labels), classes);
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
