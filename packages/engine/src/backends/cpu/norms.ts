import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type NormGroup = Pick<Backend, 'rmsNorm' | 'rmsNormBackward' | 'layerNorm' | 'layerNormBackward'>;

/** Normalisation of rows. A gradient that nobody asks for costs nothing. */
export function normGroup(device: CpuDevice): NormGroup {
	const { address, kernels } = device;
	return {
		rmsNorm(y, rstd, x, weight, epsilon) {
			const width = elements(weight.shape);
			const rows = elements(x.shape) / width;
			kernels.rmsNorm(
				device.engine,
				address(y),
				address(rstd),
				address(x),
				address(weight),
				rows,
				width,
				epsilon,
			);
		},
		rmsNormBackward({ dx, dWeight }, saved, dy) {
			const width = elements(saved.weight.shape);
			const rows = elements(dy.shape) / width;
			const x = address(saved.x);
			const rstd = address(saved.rstd);
			if (dWeight !== undefined) {
				const { view, accumulate } = dWeight;
				kernels.rmsNormWeightBackward(
					device.engine,
					address(view),
					accumulate,
					x,
					rstd,
					address(dy),
					rows,
					width,
				);
			}
			if (dx !== undefined) {
				const weight = address(saved.weight);
				const { view, accumulate } = dx;
				kernels.rmsNormBackward(
					device.engine,
					address(view),
					accumulate,
					x,
					rstd,
					weight,
					address(dy),
					rows,
					width,
				);
			}
		},
		layerNorm(y, mean, rstd, x, weight, bias, epsilon) {
			const width = elements(weight.shape);
			const rows = elements(x.shape) / width;
			kernels.layerNorm(
				device.engine,
				address(y),
				address(mean),
				address(rstd),
				address(x),
				address(weight),
				device.optionalAddress(bias),
				rows,
				width,
				epsilon,
			);
		},
		layerNormBackward({ dx, dWeight, dBias }, saved, dy) {
			const width = elements(saved.weight.shape);
			const rows = elements(dy.shape) / width;
			const x = address(saved.x);
			const mean = address(saved.mean);
			const rstd = address(saved.rstd);
			if (dWeight !== undefined) {
				const { view, accumulate } = dWeight;
				kernels.layerNormWeightBackward(
					device.engine,
					address(view),
					accumulate,
					x,
					mean,
					rstd,
					address(dy),
					rows,
					width,
				);
			}
			if (dBias !== undefined) {
				const { view, accumulate } = dBias;
				kernels.biasBackward(device.engine, address(view), accumulate, address(dy), rows, width);
			}
			if (dx !== undefined) {
				const weight = address(saved.weight);
				const { view, accumulate } = dx;
				kernels.layerNormBackward(
					device.engine,
					address(view),
					accumulate,
					x,
					mean,
					rstd,
					weight,
					address(dy),
					rows,
					width,
				);
			}
		},
	};
}
