import type { Backend, Precision } from '@vulntune/engine';
import { largerShapes, linearShapes, type ModelShape, smolLm135m } from '../shapes.ts';
import { tensorsOn, type WeightType } from '../tensors.ts';
import type { KernelCase } from './kernels.ts';

const TOKENS = [128, 512, 1024, 2048];
const USUAL_TOKENS: readonly number[] = [128, 512];

/** How a weight is stored and multiplied in training, by the name in a row. */
const products = {
	f32: { weight: 'f32', precision: 'fp32' },
	bf16: { weight: 'bf16', precision: 'bf16' },
	nf4: { weight: 'nf4', precision: 'bf16' },
	int8: { weight: 'bf16', precision: 'int8' },
} as const satisfies Record<string, { weight: WeightType; precision: Precision }>;
type ProductName = keyof typeof products;
const productNames = Object.keys(products) as ProductName[];

/**
 * The products of a model's linear layers, y = x Wᵀ and dx = dy W from the same W in three storages, and in 8
 * bits. Usually all of the
 * 135M model at 128 and 512 tokens, and of larger ones the largest matrix, at 512; the rest runs where it is named.
 */
export function gemmCases(backend: Backend): KernelCase[] {
	return [smolLm135m, ...largerShapes].flatMap((shape) =>
		productNames.flatMap((type) =>
			TOKENS.flatMap((tokens) =>
				linearShapes(shape).flatMap(({ size }) =>
					directions.map((direction) => ({
						...gemmCase(backend, shape, type, tokens, size, direction),
						optional: !isUsual(shape, type, tokens, size),
					})),
				),
			),
		),
	);
}

const directions = ['forward', 'backward'] as const;

function isUsual(shape: ModelShape, type: ProductName, tokens: number, size: readonly number[]): boolean {
	if (shape === smolLm135m) return USUAL_TOKENS.includes(tokens) && (type !== 'int8' || tokens === 512);
	const isLargest = size[0] === shape.intermediateSize;
	return isLargest && tokens === 512 && type !== 'f32';
}

/** The wide matrix of the 135M model on one of several instruction sets, without bf16: its name stands at the row's end. */
export function instructionSetCases(backend: Backend, isa: string): KernelCase[] {
	const size = [smolLm135m.intermediateSize, smolLm135m.hiddenSize] as const;
	return (['f32', 'nf4'] as const).flatMap((type) =>
		directions.map((direction) => {
			const { name, ...rest } = gemmCase(backend, smolLm135m, type, 512, size, direction, 'fp32');
			return { ...rest, name: `${name}-${isa}` };
		}),
	);
}

function gemmCase(
	backend: Backend,
	shape: ModelShape,
	type: ProductName,
	tokens: number,
	size: readonly [number, number],
	direction: (typeof directions)[number],
	precision: Precision = products[type].precision,
): KernelCase {
	const [outputs, inputs] = size;
	return {
		name: `gemm-${shape.name}-${type}-${direction}-${outputs}x${inputs}-m${tokens}`,
		work: { operations: 2 * tokens * outputs * inputs, precision },
		prepare() {
			const tensors = tensorsOn(backend);
			const weight = tensors.weight(products[type].weight, size); // [N, K]
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
