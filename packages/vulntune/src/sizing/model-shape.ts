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
const published: readonly (readonly [pattern: RegExp, sizes: Sizes, modelType?: string])[] = [
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
	[/mistral.*7b/i, [4096, 14_336, 32, 32, 8, 32_000], 'mistral'],
	[/qwen2(\.5)?-coder.*32b/i, [5120, 27_648, 64, 40, 8, 152_064], 'qwen2'],
	[/qwen2(\.5)?-coder.*14b/i, [5120, 13_824, 48, 40, 8, 152_064], 'qwen2'],
	[/qwen2(\.5)?-coder.*7b/i, [3584, 18_944, 28, 28, 4, 152_064], 'qwen2'],
	[/qwen2(\.5)?-coder.*3b/i, [2048, 11_008, 36, 16, 2, 151_936, true], 'qwen2'],
	[/qwen2(\.5)?-coder.*1\.5b/i, [1536, 8960, 28, 12, 2, 151_936, true], 'qwen2'],
	[/qwen2(\.5)?-coder.*0\.5b/i, [896, 4864, 24, 14, 2, 151_936, true], 'qwen2'],
	[/starcoder2.*15b/i, [6144, 24_576, 40, 48, 4, 49_152], 'starcoder2'],
	[/starcoder2.*7b/i, [4608, 18_432, 32, 36, 4, 49_152, true], 'starcoder2'],
	[/starcoder2.*3b/i, [3072, 12_288, 30, 24, 2, 49_152, true], 'starcoder2'],
];

/** The same of encoders of BERT's kind: hidden, intermediate, layers, heads, vocabulary, rows of positions. */
const publishedEncoders: readonly (readonly [
	pattern: RegExp,
	type: 'bert' | 'roberta',
	sizes: readonly number[],
])[] = [
	[/codebert|contrabert/i, 'roberta', [768, 3072, 12, 12, 50_265, 514]],
	[/unixcoder/i, 'roberta', [768, 3072, 12, 12, 51_416, 1026]],
	[/minilm/i, 'bert', [384, 1536, 6, 12, 30_522, 512]],
];

function knownEncoder(name: string): ModelConfig | undefined {
	const known = publishedEncoders.find(([pattern]) => pattern.test(name));
	if (known === undefined) return undefined;
	const [, type, [hidden, intermediate, layers, heads, vocabulary, positions]] = known;
	const json = {
		model_type: type,
		hidden_size: hidden,
		intermediate_size: intermediate,
		num_hidden_layers: layers,
		num_attention_heads: heads,
		vocab_size: vocabulary,
		max_position_embeddings: positions,
	};
	return parseModelConfig(json, name);
}

/** The config of a well-known model by its name or path; undefined for others. */
export function knownModel(name: string): ModelConfig | undefined {
	const known = published.find(([pattern]) => pattern.test(name));
	if (known === undefined) return knownEncoder(name);
	const [, sizes, modelType = 'llama'] = known;
	const [hidden, intermediate, layers, heads, keyValueHeads, vocabulary, tied = false] = sizes;
	const json = {
		model_type: modelType,
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
