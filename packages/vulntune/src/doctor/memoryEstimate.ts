/** What the memory of a decoder of the Llama family depends on. */
export interface ModelShape {
	readonly name: string;
	readonly layers: number;
	readonly hiddenSize: number;
	readonly intermediateSize: number;
	/** Columns of k and v: heads for keys and values x head size. */
	readonly keyValueSize: number;
	readonly vocabulary: number;
	readonly tiedEmbeddings: boolean;
}

/** Models that a user is likely to start from; their shapes are those of their published config.json. */
export const knownShapes: readonly ModelShape[] = [
	{
		name: 'SmolLM2-135M',
		layers: 30,
		hiddenSize: 576,
		intermediateSize: 1536,
		keyValueSize: 192,
		vocabulary: 49_152,
		tiedEmbeddings: true,
	},
	{
		name: 'DeepSeek-Coder-1.3B',
		layers: 24,
		hiddenSize: 2048,
		intermediateSize: 5504,
		keyValueSize: 2048,
		vocabulary: 32_256,
		tiedEmbeddings: false,
	},
	{
		name: 'CodeLlama-7B',
		layers: 32,
		hiddenSize: 4096,
		intermediateSize: 11_008,
		keyValueSize: 4096,
		vocabulary: 32_016,
		tiedEmbeddings: false,
	},
	{
		name: 'WizardCoder-Python-13B',
		layers: 40,
		hiddenSize: 5120,
		intermediateSize: 13_824,
		keyValueSize: 5120,
		vocabulary: 32_001,
		tiedEmbeddings: false,
	},
];

/** Weights of the linear layers of all blocks, and all others (embeddings, head, norms). */
export function countParameters(shape: ModelShape): { readonly linear: number; readonly other: number } {
	const { layers, hiddenSize: hidden, intermediateSize, keyValueSize, vocabulary } = shape;
	const linear = layers * (2 * hidden * hidden + 2 * hidden * keyValueSize + 3 * hidden * intermediateSize);
	const tables = (shape.tiedEmbeddings ? 1 : 2) * vocabulary * hidden;
	return { linear, other: tables + (2 * layers + 1) * hidden };
}

/** Bytes per weight of the linear layers. NF4: half a byte, one 8-bit scale per 64, one fp32 scale per 256 of those. */
const bytesPerWeight = { nf4: 0.5 + 1 / 64 + 4 / (64 * 256), bf16: 2 } as const;
const adapterRank = 8;
/** Parameter, gradient and two moments of AdamW, each fp32. */
const bytesPerTrained = 16;
/** The runtime, the rows and the tokenizer. */
const processBytes = 400 * 2 ** 20;

/**
 * Bytes that fine-tuning with adapters of rank 8 on all linear layers takes: the base, what is trained, and the activations of one
 * sequence with checkpointing (the input of every block, all of one block, fp32). An estimate for choosing a model; a run's own plan
 * is `vulntune train --dry-run`.
 */
export function estimateTrainingBytes(
	shape: ModelShape,
	base: keyof typeof bytesPerWeight,
	tokens: number,
): number {
	const { layers, hiddenSize: hidden, intermediateSize: intermediate, keyValueSize } = shape;
	const { linear, other } = countParameters(shape);
	const adapterInputs = 2 * hidden + 2 * (hidden + keyValueSize) + 2 * hidden + 3 * (hidden + intermediate);
	const trained = layers * adapterRank * adapterInputs;
	const block = 8 * hidden + 2 * keyValueSize + 4 * intermediate;
	const activations = 4 * tokens * (layers * hidden + block);
	return linear * bytesPerWeight[base] + other * 2 + trained * bytesPerTrained + activations + processBytes;
}
