import type { Backend, Destination, View } from '../contract.ts';
import { elements } from '../view.ts';
import { type CudaDevice, kernelFor, threadsPerBlock } from './device.ts';

export type NormGroup = Pick<Backend, 'rmsNorm' | 'rmsNormBackward' | 'layerNorm' | 'layerNormBackward'>;

/** Normalisation of rows. A gradient that nobody asks for costs nothing. */
export function normGroup(device: CudaDevice): NormGroup {
	const { floats, values } = device;

	/** A block a row, with no more threads than have eight columns each. */
	function overRows(name: string, x: View, width: number, args: readonly number[]): void {
		const threads = Math.min(threadsPerBlock, 32 * Math.ceil(width / 8 / 32));
		device.launch(name, [elements(x.shape) / width], threads, args);
	}

	/** Σ_t dy × x̂, or of dy alone. */
	function columnSums(
		target: Destination | undefined,
		dy: View,
		x: View | undefined,
		[mean, rstd]: readonly [mean: number, rstd: number],
		width: number,
	): void {
		if (target === undefined) return;
		const inputs = x === undefined ? [dy] : [dy, x];
		const saved = [x === undefined ? 0 : values(x), mean, rstd];
		const sizes = [elements(dy.shape) / width, width];
		const args = [floats(target.view), Number(target.accumulate), values(dy), ...saved, ...sizes];
		device.launch(kernelFor('columnSums', dy, ...inputs), [Math.ceil(width / 32)], threadsPerBlock, args);
	}

	/** Of either norm: without a mean (0) it is 0, and so is what it adds to the gradient. */
	function inputGradient(
		target: Destination | undefined,
		x: View,
		saved: readonly [mean: number, rstd: number, weight: number],
		dy: View,
		width: number,
	): void {
		if (target === undefined) return;
		const { view, accumulate } = target;
		const args = [values(view), Number(accumulate), values(x), ...saved, values(dy), width];
		overRows(kernelFor('normBackward', view, x, dy), x, width, args);
	}

	return {
		rmsNorm(y, rstd, x, weight, epsilon) {
			const width = elements(weight.shape);
			const args = [values(y), floats(rstd), values(x), floats(weight), width, epsilon];
			overRows(kernelFor('rmsNorm', y, x), x, width, args);
		},
		rmsNormBackward({ dx, dWeight }, { x, rstd, weight }, dy) {
			const width = elements(weight.shape);
			columnSums(dWeight, dy, x, [0, floats(rstd)], width);
			inputGradient(dx, x, [0, floats(rstd), floats(weight)], dy, width);
		},
		layerNorm(y, mean, rstd, x, weight, bias, epsilon) {
			const width = elements(weight.shape);
			const outputs = [values(y), floats(mean), floats(rstd)];
			const inputs = [values(x), floats(weight), bias === undefined ? 0 : floats(bias)];
			overRows(kernelFor('layerNorm', y, x), x, width, [...outputs, ...inputs, width, epsilon]);
		},
		layerNormBackward({ dx, dWeight, dBias }, { x, mean, rstd, weight }, dy) {
			const width = elements(weight.shape);
			columnSums(dWeight, dy, x, [floats(mean), floats(rstd)], width);
			columnSums(dBias, dy, undefined, [0, 0], width);
			inputGradient(dx, x, [floats(mean), floats(rstd), floats(weight)], dy, width);
		},
	};
}
