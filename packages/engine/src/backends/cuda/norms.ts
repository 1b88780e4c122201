import type { Backend, Destination, View } from '../contract.ts';
import { elements } from '../view.ts';
import { type CudaDevice, threadsPerBlock } from './device.ts';

export type NormGroup = Pick<Backend, 'rmsNorm' | 'rmsNormBackward' | 'layerNorm' | 'layerNormBackward'>;

/** Normalisation of rows. A gradient that nobody asks for costs nothing. */
export function normGroup(device: CudaDevice): NormGroup {
	const { floats } = device;

	/** A block a row. */
	function overRows(name: string, rows: number, args: readonly number[]): void {
		device.launch(name, [rows], threadsPerBlock, args);
	}

	/** Σ_t dy × x̂, or of dy alone. */
	function columnSums(
		target: Destination | undefined,
		dy: View,
		normalized: readonly [x: number, mean: number, rstd: number],
		width: number,
	): void {
		if (target === undefined) return;
		const rows = elements(dy.shape) / width;
		const args = [floats(target.view), Number(target.accumulate), floats(dy), ...normalized, rows, width];
		device.launch('columnSums', [Math.ceil(width / 32)], threadsPerBlock, args);
	}

	return {
		rmsNorm(y, rstd, x, weight, epsilon) {
			const width = elements(weight.shape);
			const args = [floats(y), floats(rstd), floats(x), floats(weight), width, epsilon];
			overRows('rmsNorm', elements(x.shape) / width, args);
		},
		rmsNormBackward({ dx, dWeight }, { x, rstd, weight }, dy) {
			const width = elements(weight.shape);
			columnSums(dWeight, dy, [floats(x), 0, floats(rstd)], width);
			if (dx === undefined) return;
			const saved = [floats(x), floats(rstd), floats(weight)];
			const args = [floats(dx.view), Number(dx.accumulate), ...saved, floats(dy), width];
			overRows('rmsNormBackward', elements(x.shape) / width, args);
		},
		layerNorm(y, mean, rstd, x, weight, bias, epsilon) {
			const width = elements(weight.shape);
			const outputs = [floats(y), floats(mean), floats(rstd)];
			const inputs = [floats(x), floats(weight), device.optionalAddress(bias)];
			overRows('layerNorm', elements(x.shape) / width, [...outputs, ...inputs, width, epsilon]);
		},
		layerNormBackward({ dx, dWeight, dBias }, { x, mean, rstd, weight }, dy) {
			const width = elements(weight.shape);
			columnSums(dWeight, dy, [floats(x), floats(mean), floats(rstd)], width);
			columnSums(dBias, dy, [0, 0, 0], width);
			if (dx === undefined) return;
			const saved = [floats(x), floats(mean), floats(rstd), floats(weight)];
			const args = [floats(dx.view), Number(dx.accumulate), ...saved, floats(dy), width];
			overRows('layerNormBackward', elements(x.shape) / width, args);
		},
	};
}
