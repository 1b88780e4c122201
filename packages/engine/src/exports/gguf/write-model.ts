import { elements } from '../../backends/view.ts';
import { inputError } from '../../errors.ts';
import { architectureFor, type GgufArchitecture, ggufName } from '../../formats/gguf/architecture.ts';
import { interleavedRow } from '../../formats/gguf/model-weights.ts';
import { encodeGgml, largestWritten, type WrittenType, writtenTypes } from '../../formats/gguf/quantize.ts';
import { type GgufEntry, type GgufWritten, writeGguf } from '../../formats/gguf/writer.ts';
import type { ExpectedTensor } from '../../formats/huggingface/expected-tensor.ts';
import type { RopeConfig } from '../../formats/huggingface/rope-scaling.ts';
import type { Tokenizer } from '../../formats/tokenizer/tokenizer.ts';
import { inverseFrequencies } from '../../layers/rope-table.ts';
import { expectedTensors, namedWeights } from '../../models/families.ts';
import type { ModelConfig } from '../../models/model.ts';
import { checkRange } from '../check-range.ts';
import { tokenizerMetadata } from './tokenizer-metadata.ts';

/** The types in which the matrices of a model are written; its norms and biases stay in float32. */
export type GgufModelType = Exclude<WrittenType, 'f32'>;

const otherType = 'Write it with --type q8_0, whose range is larger, or with model merge.';

/** How llama.cpp makes one embedding of a text's states. */
const poolings = { mean: 1, last: 3 } as const;

export interface GgufModel {
	readonly config: ModelConfig;
	/** `model_type` of config.json, and its other keys. */
	readonly json: Readonly<Record<string, unknown>>;
	readonly tokenizer: Tokenizer;
	/** Of tokenizer.json. */
	readonly tokenizerJson: object;
	/** The values of a tensor, asked for once. */
	readonly weightOf: (tensor: ExpectedTensor) => Float32Array;
	/** Whether the output matrix is written, which says next tokens. */
	readonly outputMatrix: boolean;
	/** What llama.cpp is to make of states; undefined for nothing. */
	readonly pooling: keyof typeof poolings | undefined;
	readonly name: string;
}

/**
 * Writes a decoder as a GGUF file that llama.cpp loads, tokenizer and all, one tensor at a time. In Q4_0 the embedding and the output
 * matrix are Q8_0; a matrix whose rows are no multiple of 32 is F16.
 *
 * Throws EXPORT_FAMILY for a model that llama.cpp computes otherwise or not at all, EXPORT_TOKENIZER, EXPORT_RANGE.
 *
 * @returns the number of tensors
 */
export function writeGgufModel(
	file: string,
	model: GgufModel,
	type: GgufModelType,
	progress?: (done: number, total: number) => void,
): number {
	const { config } = model;
	const architecture = requireArchitecture(model);
	const tensors = expectedTensors(config).filter(({ kind }) => model.outputMatrix || kind !== 'head');
	const factors = ropeFactors(config);
	let done = 0;
	const entries = tensors.map((tensor): GgufEntry => {
		const name = ggufName(architecture, tensor.name);
		if (name === undefined) throw unsupported(model, `it has no name for ${tensor.name}`);
		const written = typeOf(tensor, name, type);
		const { number, blockBytes, blockElements } = writtenTypes[written];
		return {
			name,
			type: number,
			dimensions: tensor.shape.toReversed(),
			byteLength: (elements(tensor.shape) / blockElements) * blockBytes,
			data() {
				const values = inStoredOrder(architecture, config, name, tensor, model.weightOf(tensor));
				checkRange(tensor.name, values, { type: written, largest: largestWritten[written] }, otherType);
				progress?.(++done, tensors.length);
				return encodeGgml(values, written);
			},
		};
	});
	const all = factors === undefined ? entries : [...entries, factors];
	writeGguf(file, metadataOf(model, architecture, type), all);
	return all.length;
}

function typeOf({ shape, kind }: ExpectedTensor, name: string, type: GgufModelType): WrittenType {
	// llama.cpp adds norms, biases and positions in float32
	if (shape.length === 1 || name.startsWith('position_embd')) return 'f32';
	if (shape.at(-1)! % 32 !== 0) return 'f16';
	return type === 'q4_0' && kind !== 'linear' ? 'q8_0' : type;
}

/** llama.cpp turns neighbouring rows of a head of Llama's q and k, transformers row i with row i + D/2. */
function inStoredOrder(
	{ interleavedHeads }: GgufArchitecture,
	{ headDim }: ModelConfig,
	name: string,
	{ shape }: ExpectedTensor,
	values: Float32Array,
): Float32Array {
	if (!interleavedHeads || !/\.attn_[qk]\.(weight|bias)$/.test(name)) return values;
	const rows = shape[0]!;
	const rowLength = values.length / rows;
	const stored = new Float32Array(values.length); // [rows, rowLength]
	for (let row = 0; row < rows; row++) {
		const own = values.subarray(row * rowLength, (row + 1) * rowLength);
		stored.set(own, interleavedRow(row, headDim) * rowLength);
	}
	return stored;
}

function requireArchitecture(model: GgufModel): GgufArchitecture {
	const { config, json } = model;
	const modelType = String(json.model_type);
	const architecture = architectureFor(modelType);
	if (architecture === undefined) throw unsupported(model, `models of the type ${modelType} are not written`);
	// keys that GGUF files don't hold, because llama.cpp computes all models of the architecture alike
	const { sliding_window: _window, use_sliding_window: _uses, ...alike } = architecture.constants;
	for (const [key, value] of Object.entries(alike)) {
		const own = json[key] ?? value;
		if (own === value || sameActivation(key, own, value)) continue;
		throw unsupported(model, `it computes ${key} ${JSON.stringify(value)} only, not ${JSON.stringify(own)}`);
	}
	if (!config.causal) throw unsupported(model, 'it is no decoder');
	return architecture;
}

/** Two names of one function. */
function sameActivation(key: string, own: unknown, value: unknown): boolean {
	if (!/activation|hidden_act/.test(key)) return false;
	const tanh = ['gelu_new', 'gelu_fast', 'gelu_pytorch_tanh'];
	const silu = ['silu', 'swish'];
	return [tanh, silu].some((names) => names.includes(String(own)) && names.includes(String(value)));
}

function unsupported({ json }: GgufModel, message: string): Error {
	return inputError('EXPORT_FAMILY', `llama.cpp doesn't run this model as it was trained: ${message}`, {
		place: `model_type ${String(json.model_type)}`,
		remedy: 'Write it with --to onnx or model merge instead.',
	});
}

/** Tokens of the longest text that llama.cpp computes alike: it attends to all of it, which is the same up to the length of a window. */
export function ggufContext(config: ModelConfig): number {
	const { blocks } = namedWeights(config);
	const windows = blocks.map(({ attention }) => attention.shape.window ?? Number.POSITIVE_INFINITY);
	return Math.min(config.maxPositions, ...windows);
}

function metadataOf(
	model: GgufModel,
	architecture: GgufArchitecture,
	type: GgufModelType,
): Readonly<Record<string, GgufWritten>> {
	const { config, pooling, tokenizer, tokenizerJson } = model;
	const { name } = architecture;
	const weights = namedWeights(config);
	const { epsilon } = weights.finalNorm!;
	const rope = 'ropeTheta' in config ? (config as ModelConfig & RopeConfig) : undefined;
	const own: Record<string, GgufWritten> = {
		context_length: ggufContext(config),
		embedding_length: config.hiddenSize,
		feed_forward_length: config.intermediateSize,
		block_count: config.layers,
		'attention.head_count': config.heads,
		'attention.head_count_kv': config.keyValueHeads,
		vocab_size: config.vocabularySize,
		[weights.finalNorm!.kind === 'rms' ? 'attention.layer_norm_rms_epsilon' : 'attention.layer_norm_epsilon']:
			{
				float32: epsilon,
			},
		...(rope === undefined
			? {}
			: {
					'attention.key_length': config.headDim,
					'attention.value_length': config.headDim,
					'rope.dimension_count': config.headDim,
					'rope.freq_base': { float32: rope.ropeTheta },
				}),
		...(rope?.ropeScaling.type === 'linear'
			? { 'rope.scaling.type': 'linear', 'rope.scaling.factor': { float32: rope.ropeScaling.factor } }
			: {}),
		...(pooling === undefined ? {} : { pooling_type: poolings[pooling] }),
	};
	const fileTypes = { f16: 1, q4_0: 2, q8_0: 7 };
	return {
		'general.architecture': name,
		'general.type': 'model',
		'general.name': model.name,
		'general.file_type': fileTypes[type],
		'general.quantization_version': 2,
		...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${name}.${key}`, value])),
		...tokenizerMetadata(tokenizerJson, tokenizer, config.vocabularySize),
	};
}

/** Llama 3's rotary scaling: by how much each frequency is divided. */
function ropeFactors(config: ModelConfig): GgufEntry | undefined {
	if (!('ropeTheta' in config)) return undefined;
	const { headDim, ropeTheta, ropeScaling } = config as ModelConfig & RopeConfig;
	if (ropeScaling.type !== 'llama3') return undefined;
	const [plain, scaled] = [{ type: 'none' } as const, ropeScaling].map((scaling) =>
		inverseFrequencies(headDim, ropeTheta, scaling),
	);
	const factors = Float32Array.from(plain!, (frequency, i) => frequency / scaled![i]!); // [D / 2]
	return {
		name: 'rope_freqs.weight',
		type: writtenTypes.f32.number,
		dimensions: [factors.length],
		byteLength: factors.byteLength,
		data: () => new Uint8Array(factors.buffer),
	};
}
