/** What a bench needs to know of a model's shape. */
export interface ModelShape {
	readonly name: string;
	readonly hiddenSize: number;
	readonly intermediateSize: number;
	readonly layers: number;
	readonly heads: number;
	readonly keyValueHeads: number;
	readonly headDim: number;
	readonly vocabularySize: number;
}

/** SmolLM2-135M: the model of the whole steps. */
export const smolLm135m: ModelShape = {
	name: '135m',
	hiddenSize: 576,
	intermediateSize: 1536,
	layers: 30,
	heads: 9,
	keyValueHeads: 3,
	headDim: 64,
	vocabularySize: 49_152,
};

/** Qwen2.5-Coder-1.5B, without its biases. */
export const qwen15b: ModelShape = {
	name: '1.5b',
	hiddenSize: 1536,
	intermediateSize: 8960,
	layers: 28,
	heads: 12,
	keyValueHeads: 2,
	headDim: 128,
	vocabularySize: 151_936,
};

/** SmolLM2-360M, Qwen2.5-Coder-1.5B and CodeLlama-7B. */
export const largerShapes: readonly ModelShape[] = [
	{
		name: '360m',
		hiddenSize: 960,
		intermediateSize: 2560,
		layers: 32,
		heads: 15,
		keyValueHeads: 5,
		headDim: 64,
		vocabularySize: 49_152,
	},
	qwen15b,
	{
		name: '7b',
		hiddenSize: 4096,
		intermediateSize: 11_008,
		layers: 32,
		heads: 32,
		keyValueHeads: 32,
		headDim: 128,
		vocabularySize: 32_016,
	},
];

/** The [N, K] of a block's linear layers with how many of each a block has. */
export function linearShapes(
	shape: ModelShape,
): { readonly size: readonly [number, number]; count: number }[] {
	const { hiddenSize, intermediateSize } = shape;
	const queries = shape.heads * shape.headDim;
	const keys = shape.keyValueHeads * shape.headDim;
	const all: (readonly [number, number])[] = [
		[queries, hiddenSize],
		[keys, hiddenSize],
		[keys, hiddenSize],
		[hiddenSize, queries],
		[intermediateSize, hiddenSize],
		[intermediateSize, hiddenSize],
		[hiddenSize, intermediateSize],
	];
	const counts = new Map<string, { readonly size: readonly [number, number]; count: number }>();
	for (const size of all) {
		const entry = counts.get(size.join('x')) ?? { size, count: 0 };
		entry.count += 1;
		counts.set(size.join('x'), entry);
	}
	return [...counts.values()];
}

/** Operations that a token costs in the linear layers of all blocks, forward. The gradient of the input is as many again. */
export function forwardOperationsPerToken(shape: ModelShape): number {
	const weights = linearShapes(shape).reduce((sum, { size: [n, k], count }) => sum + n * k * count, 0);
	return 2 * weights * shape.layers;
}
