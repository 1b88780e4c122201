import { type Backend, floatPrecision } from './contract.ts';

export type LinearGroup = Pick<Backend, 'linearForward' | 'linearBackward'>;
export type LinearParts = Pick<Backend, 'matmulNT' | 'matmulNN' | 'loraForward' | 'loraBackward'>;

/** Linear layers with their adapters, one product after the other: what faster ways must agree with. */
export function composedLinear(parts: LinearParts): LinearGroup {
	return {
		linearForward(x, layers, precision) {
			for (const { y, weight, lora } of layers) {
				parts.matmulNT(y, x, weight, { precision, accumulate: false, scale: 1 });
				if (lora === undefined) continue;
				const { h, a, b, scale, dropout } = lora;
				parts.loraForward(y, h, x, a, b, { scale, dropout, precision: floatPrecision(precision) });
			}
		},
		linearBackward({ dx, dA, dB }, saved, dy, options) {
			const { precision } = options;
			if (dx !== undefined) {
				parts.matmulNN(dx.view, dy, saved.weight, { precision, accumulate: dx.accumulate, scale: 1 });
			}
			const rest = dx === undefined ? undefined : { view: dx.view, accumulate: true };
			parts.loraBackward({ dx: rest, dA, dB }, saved, dy, {
				...options,
				precision: floatPrecision(precision),
			});
		},
	};
}
