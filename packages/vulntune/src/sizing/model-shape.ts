import { elements, expectedTensors, type ModelConfig, parseModelConfig } from '@vulntune/engine';

/** What the cost of a model depends on. */
export interface TransformerShape {
	readonly layers: number;
	readonly hiddenSize: number;
	readonly intermediateSize: number;
	readonly keyValueSize: number;
	/** All weights. */
	readonly parameters: number;
	/** The matrices inside the blocks, by module name. */
	readonly matrices: readonly { readonly name: string; readonly rows: number; readonly columns: number }[];
}

export function shapeOf(config: ModelConfig): TransformerShape {
	const tensors = expectedTensors(config);
	const matrices = tensors
		.filter(({ kind }) => kind === 'linear')
		.map(({ name, shape }) => ({ name: name.replace(/\.weight$/, ''), rows: shape[0]!, columns: shape[1]! }));
	return {
		layers: config.layers,
		hiddenSize: config.hiddenSize,
		intermediateSize: config.intermediateSize,
		keyValueSize: config.keyValueHeads * config.headDim,
		parameters: tensors.reduce((sum, { shape }) => sum + elements(shape), 0),
		matrices,
	};
}

/** Sizes from published config.json files: hidden, intermediate, layers, heads, key/value heads, vocabulary. */
type Sizes = readonly [number, number, number, number, number, number, tied?: boolean];

/** Models that are often named and too large to be at hand, by a part of their name. */
const published: readonly (readonly [pattern: RegExp, sizes: Sizes])[] = [
	[/(wizardcoder-python|codellama|llama-2).*34b/i, [8192, 22_016, 48, 64, 8, 32_001]],
	[/(wizardcoder-python|codellama|llama-2).*13b/i, [5120, 13_824, 40, 40, 40, 32_001]],
	[/(wizardcoder-python|codellama|llama-2).*7b/i, [4096, 11_008, 32, 32, 32, 32_001]],
	[/deepseek-coder.*33b/i, [7168, 19_200, 62, 56, 8, 32_256]],
	[/deepseek-coder.*6\.7b/i, [4096, 11_008, 32, 32, 32, 32_256]],
	[/deepseek-coder.*1\.3b/i, [2048, 5504, 24, 16, 16, 32_256]],
	[/smollm2.*1\.7b/i, [2048, 8192, 24, 32, 32, 49_152, true]],
	[/smollm2.*360m/i, [960, 2560, 32, 15, 5, 49_152, true]],
	[/smollm2.*135m/i, [576, 1536, 30, 9, 3, 49_152, true]],
	[/tinyllama.*1\.1b/i, [2048, 5632, 22, 32, 4, 32_000]],
];

/** The config of a well-known model by its name or path; undefined for others. */
export function knownModel(name: string): ModelConfig | undefined {
	const sizes = published.find(([pattern]) => pattern.test(name))?.[1];
	if (sizes === undefined) return undefined;
	const [hidden, intermediate, layers, heads, keyValueHeads, vocabulary, tied = false] = sizes;
	const json = {
		model_type: 'llama',
		hidden_size: hidden,
		intermediate_size: intermediate,
		num_hidden_layers: layers,
		num_attention_heads: heads,
		num_key_value_heads: keyValueHeads,
		vocab_size: vocabulary,
		tie_word_embeddings: tied,
	};
	return parseModelConfig(json, name);
}
