import type { Backend, Precision } from '@vulntune/engine';
import { largerShapes, linearShapes, type ModelShape, smolLm135m } from '../shapes.ts';
import { tensorsOn, type WeightType } from '../tensors.ts';
import type { KernelCase } from './kernels.ts';

const TOKENS = [128, 512, 1024, 2048];
const USUAL_TOKENS: readonly number[] = [128, 512];

/** How a weight is multiplied in training. */
const precisionOf: Readonly<Record<WeightType, Precision>> = { f32: 'fp32', bf16: 'bf16', nf4: 'bf16' };

/**
 * The products of a model's linear layers, y = x Wᵀ and dx = dy W from the same W in three storages. Those of larger
 * models and other numbers of tokens are run where they are named.
 */
export function gemmCases(backend: Backend): KernelCase[] {
	return [smolLm135m, ...largerShapes].flatMap((shape) =>
		(['f32', 'bf16', 'nf4'] as const).flatMap((type) =>
			TOKENS.flatMap((tokens) =>
				linearShapes(shape).flatMap(({ size }) =>
					(['forward', 'backward'] as const).map((direction) =>
						gemmCase(backend, shape, type, tokens, size, direction),
					),
				),
			),
		),
	);
}

function gemmCase(
	backend: Backend,
	shape: ModelShape,
	type: WeightType,
	tokens: number,
	size: readonly [number, number],
	direction: 'forward' | 'backward',
): KernelCase {
	const [outputs, inputs] = size;
	const precision = precisionOf[type];
	return {
		name: `gemm-${shape.name}-${type}-${direction}-${outputs}x${inputs}-m${tokens}`,
		optional: shape !== smolLm135m || !USUAL_TOKENS.includes(tokens),
		work: { operations: 2 * tokens * outputs * inputs, precision },
		prepare() {
			const tensors = tensorsOn(backend);
			const weight = tensors.weight(type, size); // [N, K]
			const x = tensors.random(tokens, inputs); // [M, K]
			const y = tensors.random(tokens, outputs); // [M, N]
			const options = { precision, accumulate: false, scale: 1 };
			const run =
				direction === 'forward'
					? () => backend.matmulNT(y, x, weight, options)
					: () => backend.matmulNN(x, y, weight, options);
			return { run, free: tensors.free };
		},
	};
}
