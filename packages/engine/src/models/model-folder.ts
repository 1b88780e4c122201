import { inputError } from '../errors.ts';
import { withBasePrefix, withCurrentNames } from '../formats/huggingface/weight-names.ts';
import { parseJsonObject } from '../formats/json.ts';
import { modelFiles } from '../formats/model-files.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { unpackedIntegers } from '../quantize/packed-integers.ts';
import { checkQuantization } from './check-quantization.ts';
import { checkWeights } from './check-weights.ts';
import { expectedTensors, headTensor } from './families.ts';
import type { ModelConfig } from './model.ts';
import { parseModelConfig } from './model-config.ts';

export const configFileName = 'config.json';
const maxConfigBytes = 16_000_000;

export interface ModelFolder {
	readonly path: string;
	readonly config: ModelConfig;
	/** Checked against the config: every expected tensor is there, in its shape. */
	readonly weights: WeightSource;
	/** The tensors as the files have them, where `weights` are made of others: what a model is known by. */
	readonly stored?: WeightSource;
	close(): void;
}

/**
 * Opens a model in Hugging Face layout (config.json and safetensors weights, in one file or sharded) or a GGUF file. Reads
 * the config and the headers, and a tied output matrix that is stored nonetheless. Throws an error that names the file, the field or the tensor at fault.
 *
 *     const model = openModelFolder('models/smollm2-135m');
 *     const embedding = readFloat32(model.weights, 'model.embed_tokens.weight'); // [vocabulary, hidden]
 *     model.close();
 */
export function openModelFolder(folder: string): ModelFolder {
	const stored = modelFiles(folder).openWeights();
	try {
		const { quantization, ...described } = readModelConfig(folder);
		const expected = expectedTensors({ ...described, quantization });
		const isPacked = quantization?.method === 'gptq' || quantization?.method === 'awq';
		const names = new Set(expected.map(({ name }) => name));
		const plain = isPacked ? unpackedIntegers(stored, quantization, names) : stored;
		const weights = withBasePrefix(withCurrentNames(plain), expected);
		// what is read of packed integers is plain numbers
		const held = { ...described, quantization: isPacked ? undefined : quantization };
		const config = { ...held, languageHead: storedLanguageHead(held, weights) };
		checkWeights(config, weights);
		checkQuantization(quantization, expected, weights);
		return { path: folder, config, weights, ...(isPacked ? { stored } : {}), close: weights.close };
	} catch (error) {
		stored.close();
		throw error;
	}
}

/**
 * A config that ties the output matrix to the embedding doesn't make another one in the file go away: transformers 5 uses
 * that too. A checkpoint without any is one of a classifier or of the bare model, whose hidden states are all there.
 */
function storedLanguageHead(config: ModelConfig, weights: WeightSource): ModelConfig['languageHead'] {
	const head = headTensor(config)?.name;
	if (head === undefined) return 'absent';
	const embedding = expectedTensors(config)[0]!.name;
	const isStored = weights.info(head) !== undefined;
	if (config.languageHead !== 'tied') return isStored ? 'own' : 'absent';
	if (!isStored || weights.info(embedding) === undefined) return 'tied';
	return Buffer.compare(weights.read(head), weights.read(embedding)) === 0 ? 'tied' : 'own';
}

/** Reads config.json of a model folder, or what a GGUF file says instead, for a plan that needs no weights. */
export function readModelConfig(folder: string): ModelConfig {
	const files = modelFiles(folder);
	const bytes = files.read(configFileName, maxConfigBytes);
	if (bytes === undefined) {
		throw inputError('MODEL_CONFIG_MISSING', `there is no ${configFileName}`, {
			place: folder,
			remedy: 'Give a folder in Hugging Face layout, with config.json beside the weights.',
		});
	}
	const place = files.placeOf(configFileName);
	const where = { code: 'MODEL_CONFIG', place, remedy: 'Download the file again.' };
	return parseModelConfig(parseJsonObject(bytes, where), place);
}
