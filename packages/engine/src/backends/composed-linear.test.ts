import { expect, it } from 'vitest';
import { composedLinear } from './composed-linear.ts';
import type { View } from './contract.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';

it.each([
	['int8', 'bf16'],
	['bf16', 'bf16'],
	['fp32', 'fp32'],
] as const)(
	'under %s computes adapters in %s, and adds to what the base has written',
	(precision, adapters) => {
		const asked: string[] = [];
		const { linearForward, linearBackward } = composedLinear({
			matmulNT: (_y, _x, _weight, options) => asked.push(`matmulNT ${options.precision}`),
			matmulNN: (_dx, _dy, _weight, options) =>
				asked.push(`matmulNN ${options.precision} ${options.accumulate}`),
			loraForward: (_y, _h, _x, _a, _b, options) => asked.push(`loraForward ${options.precision}`),
			loraBackward: ({ dx }, _saved, _dy, options) =>
				asked.push(`loraBackward ${options.precision} ${dx?.accumulate}`),
		});
		const backend = createReferenceBackend();
		const view: View = { buffer: backend.allocate('f32', 1), offset: 0, dtype: 'f32', shape: [1, 1] };
		const options = { scale: 1, dropout: undefined };
		const [x, y, weight, h, a, b] = [view, view, view, view, view, view];
		linearForward(x, [{ y, weight, lora: { h, a, b, ...options } }], precision);
		const over = { view, accumulate: false };
		linearBackward({ dx: over, dA: over, dB: over }, { x, weight, h, a, b }, y, { ...options, precision });
		expect(asked).toEqual([
			`matmulNT ${precision}`,
			`loraForward ${adapters}`,
			`matmulNN ${precision} false`,
			`loraBackward ${adapters} true`,
		]);
	},
);
