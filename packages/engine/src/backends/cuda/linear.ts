import { composedLinear, type LinearGroup, type LinearParts } from '../compose-kernels.ts';
import { floatPrecision } from '../contract.ts';
import { describe } from '../view.ts';
import type { CudaDevice } from './device.ts';
import { tensorOperand } from './operands.ts';
import { productTarget } from './product-target.ts';
import { weightProduct } from './weight-products.ts';

/** Linear layers with their adapters: on tensor cores, the input that they share is rounded once. */
export function linearGroup(device: CudaDevice, parts: LinearParts): LinearGroup {
	const composed = composedLinear(parts);
	return {
		linearForward(x, layers, precision) {
			if (precision !== 'bf16' || device.tensorType === undefined || layers.length < 2) {
				composed.linearForward(x, layers, precision);
				return;
			}
			const [rows, depth] = x.shape as [number, number];
			device.withScratch(
				() => `linear layers of ${describe(x)}`,
				(keep) => {
					device.values(x);
					const left = tensorOperand(device, keep, x, { rows, columns: depth });
					for (const { y, weight, lora } of layers) {
						const columns = weight.shape[0]!;
						device.withScratch(
							() => `a linear layer ${describe(weight)}`,
							(take) => {
								const size = { rows, columns, depth };
								weightProduct(device, take, 'NT', productTarget(device, y), left, weight, size);
							},
						);
						if (lora === undefined) continue;
						const { h, a, b, scale, dropout } = lora;
						const options = { scale, dropout, precision: floatPrecision(precision) };
						parts.loraForward(y, h, x, a, b, options);
					}
				},
			);
		},
		linearBackward: composed.linearBackward,
	};
}
