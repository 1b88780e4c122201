import { describe, expect, it } from 'vitest';
import { productCases } from './agreement/products.ts';
import { runOn } from './agreement/workbench.ts';
import { composedLinear, withComposedKernels } from './compose-kernels.ts';
import type { View } from './contract.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { relativeDistance } from './testing/tensors.ts';

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

describe('a backend without fused kernels', () => {
	const reference = createReferenceBackend();
	const { loraForward: _1, loraBackward: _2, linearForward: _3, linearBackward: _4, ...plain } = reference;
	const composed = withComposedKernels(plain);
	const cases = productCases.filter(({ kernels }) => kernels.some((name) => /^(lora|linear)/.test(name)));

	it.each(cases)('gets $name of its plain ones', ({ run, tolerance }) => {
		const before = composed.memory().liveBuffers;
		const expected = runOn(reference, 1, run);
		for (const [name, values] of runOn(composed, 1, run)) {
			expect(relativeDistance(values, expected.get(name)!), name).toBeLessThanOrEqual(tolerance);
		}
		expect(composed.memory().liveBuffers).toBe(before);
	});

	it('is asked for a fused one first', () => {
		const own = () => {};
		expect(withComposedKernels({ ...plain, loraForward: own }).loraForward).toBe(own);
	});
});
