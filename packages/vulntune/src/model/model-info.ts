import {
	checkTokenizer,
	expectedTensors,
	fingerprintModel,
	loadTokenizer,
	type ModelConfig,
	type ModelFingerprint,
	type ModelFolder,
	modelFiles,
	openModelFolder,
	readModelConfig,
	type Tokenizer,
	VulntuneError,
	type WeightSource,
} from '@vulntune/engine';
import { tokenizerFileName } from '@vulntune/engine/formats/tokenizer/load-tokenizer.ts';
import { targetMatcher } from '@vulntune/engine/layers/lora.ts';
import { type DetectorDescription, readDescription } from '../methods/description.ts';
import { configFileName } from './model-files.ts';

/** What `vulntune model info MODEL --json` prints of a model folder; others script against the names. */
export interface ModelInfo {
	readonly kind: 'model';
	readonly path: string;
	/** `architectures` of config.json, or the model type where it names none. */
	readonly architecture: string;
	readonly sizes: {
		readonly layers: number;
		readonly hiddenSize: number;
		readonly intermediateSize: number;
		readonly heads: number;
		readonly keyValueHeads: number;
		readonly headDim: number;
		readonly vocabularySize: number;
		readonly tieWordEmbeddings: boolean;
	};
	/** The longest sequence, in tokens. */
	readonly maxPositions: number;
	readonly parameters: ParameterCounts;
	/** null where the weights are missing or do not fit the config. */
	readonly weights: StoredWeights | null;
	/** How the linear layers are stored; null where they are plain numbers. */
	readonly quantization: {
		readonly method: string;
		readonly type: string;
		readonly doubleQuantization: boolean | null;
		/** Of the quantised matrices with scales and codebooks; null without weights. */
		readonly bitsPerWeight: number | null;
	} | null;
	/** null where there is none, or `problems` says why it can't be read. */
	readonly tokenizer: {
		readonly vocabularySize: number;
		readonly bosTokenId: number | null;
		readonly eosTokenId: number | null;
		readonly padTokenId: number | null;
		/** Closes a function; null where the tokenizer has no such token. */
		readonly separatorId: number | null;
		readonly specialTokens: number;
		readonly hash: string;
	} | null;
	/** What adapters know it by; null where weights or tokenizer are missing or can't be read. */
	readonly fingerprint: ModelFingerprint | null;
	/** How it was trained, where it is a detector of ours. */
	readonly detector: DetectorDescription | null;
	/** What keeps config, weights and tokenizer from fitting together; empty where they do. */
	readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** Parameters of the unquantised model. */
export interface ParameterCounts {
	readonly total: number;
	readonly embedding: number;
	readonly attention: number;
	readonly feedForward: number;
	readonly norms: number;
	/** 0 where it is the embedding. */
	readonly outputHead: number;
}

export interface StoredWeights {
	readonly tensors: number;
	readonly bytes: number;
	readonly dtypes: Readonly<Record<string, { readonly tensors: number; readonly bytes: number }>>;
}

/**
 * Describes a model from its config, the headers of its weights and its tokenizer. Throws where there is no config.json that can
 * be read; what does not fit it is told in `problems`.
 */
export function readModelInfo(folder: string): ModelInfo {
	const config = readModelConfig(folder);
	const problems: VulntuneError[] = [];
	const attempt = <Result>(action: () => Result): Result | undefined => {
		try {
			return action();
		} catch (error) {
			if (!(error instanceof VulntuneError)) throw error;
			problems.push(error);
			return undefined;
		}
	};
	const model = attempt(() => openModelFolder(folder));
	const stored = model?.config ?? config;
	const hasTokenizer = () => modelFiles(folder).read(tokenizerFileName, 256_000_000) !== undefined;
	const tokenizer = attempt(() => (hasTokenizer() ? loadTokenizer(folder) : undefined));
	if (tokenizer !== undefined) attempt(() => checkTokenizer(tokenizer, config));
	const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize } = config;
	try {
		return {
			kind: 'model',
			path: folder,
			architecture: architectureOf(folder, config),
			sizes: {
				layers,
				hiddenSize,
				intermediateSize,
				heads,
				keyValueHeads,
				headDim,
				vocabularySize,
				tieWordEmbeddings: stored.languageHead === 'tied',
			},
			maxPositions: config.maxPositions,
			parameters: countParameters(stored),
			weights: model === undefined ? null : storedWeights(model.stored ?? model.weights),
			quantization: quantizationOf(config, model),
			tokenizer: tokenizer === undefined ? null : describeTokenizer(tokenizer),
			fingerprint: model === undefined || tokenizer === undefined ? null : fingerprintModel(model, tokenizer),
			detector: readDescription(folder) ?? null,
			problems: problems.map(({ code, message }) => ({ code, message })),
		};
	} finally {
		model?.close();
	}
}

function architectureOf(folder: string, config: ModelConfig): string {
	const bytes = modelFiles(folder).read(configFileName, 16_000_000);
	const json: { architectures?: unknown } = JSON.parse(new TextDecoder().decode(bytes));
	const [name] = Array.isArray(json.architectures) ? json.architectures : [];
	return typeof name === 'string' ? name : config.architecture;
}

function countParameters(config: ModelConfig): ParameterCounts {
	const isAttention = targetMatcher('attention');
	const tensors = expectedTensors(config);
	const norms = new Set(tensors.filter(({ kind }) => kind === 'norm').map(({ name }) => name));
	const counts = { embedding: 0, attention: 0, feedForward: 0, norms: 0, outputHead: 0 };
	for (const { name, shape, kind } of tensors) {
		const elements = shape.reduce((product, size) => product * size, 1);
		if (kind === 'embedding') counts.embedding += elements;
		else if (kind === 'head') counts.outputHead += elements;
		else if (norms.has(name.replace(/\.bias$/, '.weight'))) counts.norms += elements;
		else if (isAttention(name)) counts.attention += elements;
		else counts.feedForward += elements;
	}
	return { total: Object.values(counts).reduce((sum, count) => sum + count, 0), ...counts };
}

function storedWeights(weights: WeightSource): StoredWeights {
	const dtypes: Record<string, { tensors: number; bytes: number }> = {};
	let bytes = 0;
	for (const name of weights.names) {
		const { stored, dtype, ...read } = weights.info(name)!;
		const { type, byteLength } = stored ?? { type: dtype, byteLength: read.byteLength };
		const of = (dtypes[type] ??= { tensors: 0, bytes: 0 });
		of.tensors += 1;
		of.bytes += byteLength;
		bytes += byteLength;
	}
	return { tensors: weights.names.length, bytes, dtypes };
}

function quantizationOf(config: ModelConfig, model: ModelFolder | undefined): ModelInfo['quantization'] {
	const { quantization } = config;
	if (quantization === undefined) return null;
	const { method, type } = quantization;
	const doubleQuantization = quantization.method === 'bitsandbytes' ? quantization.doubleQuantization : null;
	const bitsPerWeight =
		model === undefined ? null : bitsPerLinearWeight(config, model.stored ?? model.weights);
	return { method, type, doubleQuantization, bitsPerWeight };
}

/** Everything stored under the names of the linear weights, by their number of elements. */
function bitsPerLinearWeight(config: ModelConfig, weights: WeightSource): number {
	const linear = expectedTensors(config).filter(({ kind }) => kind === 'linear');
	const elements = linear.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0);
	const names = new Set(linear.map(({ name }) => name));
	// `<layer>.weight` and what lies beside it (`<layer>.weight.absmax`), or what stands for it (`<layer>.qweight`, …)
	const stem = (name: string) =>
		name.replace(/(\.weight)\..*$/, '$1').replace(/\.(qweight|qzeros|scales|g_idx)$/, '.weight');
	const stored = weights.names.filter((name) => names.has(stem(name)));
	return (8 * stored.reduce((sum, name) => sum + weights.info(name)!.byteLength, 0)) / elements;
}

function describeTokenizer(tokenizer: Tokenizer): ModelInfo['tokenizer'] {
	const { vocabularySize, bosTokenId, eosTokenId, padTokenId, separatorId, specialTokenIds, hash } =
		tokenizer;
	return {
		vocabularySize,
		bosTokenId: bosTokenId ?? null,
		eosTokenId: eosTokenId ?? null,
		padTokenId: padTokenId ?? null,
		separatorId: separatorId ?? null,
		specialTokens: specialTokenIds.size,
		hash,
	};
}
