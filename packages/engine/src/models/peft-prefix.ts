import path from 'node:path';
import { inputError } from '../errors.ts';
import { readSmallFile } from '../formats/files.ts';
import { describeJson, ownValue, parseJsonObject } from '../formats/json.ts';
import { keyTable, refuseUnknownKeys } from '../formats/known-keys.ts';
import {
	CONFIG_FILE,
	type HostMatrix,
	readMatrices,
	WEIGHTS_FILE,
	weightsError,
	writePeftFiles,
} from './peft-files.ts';

/** Keys and values that stand in front of every text, as PEFT saves them, on the host. */
export interface PeftPrefix {
	/** As written in adapter_config.json. */
	readonly baseModel: string;
	readonly layers: number;
	/** Heads of keys and values. */
	readonly heads: number;
	/** [P, layers × 2 × heads × D]: of each layer the keys, then the values. */
	readonly prompt: HostMatrix;
	/** `score.…`; empty where there is none. */
	readonly head: ReadonlyMap<string, HostMatrix>;
}

/**
 * The keys of PEFT's adapter_config.json for PREFIX_TUNING. What was trained through a projection is saved as what came of it, so
 * that this, and its size, change nothing any more.
 */
export const prefixConfigKeys = keyTable({
	used: [
		...['base_model_name_or_path', 'num_attention_heads', 'num_layers', 'num_virtual_tokens', 'token_dim'],
	],
	neutral: [
		...['auto_mapping', 'encoder_hidden_size', 'inference_mode', 'modules_to_save', 'peft_version'],
		...['prefix_projection', 'revision', 'init_weights'],
	],
	only: {
		num_transformer_submodules: [1],
		peft_type: ['PREFIX_TUNING'],
		task_type: ['SEQ_CLS', 'CAUSAL_LM', 'FEATURE_EXTRACTION'],
	},
});

const PROMPT = 'prompt_embeddings';
const maxConfigBytes = 1_000_000;

/**
 * Reads a folder that PEFT, or `writePeftPrefix`, saved a prefix in. Throws ADAPTER_CONFIG for a setting that isn't known, and
 * ADAPTER_WEIGHTS for a tensor that nothing reads, or sizes that contradict the config.
 */
export function readPeftPrefix(folder: string): PeftPrefix {
	const place = path.join(folder, CONFIG_FILE);
	const json = parseJsonObject(readSmallFile(place, maxConfigBytes), {
		code: 'ADAPTER_CONFIG',
		place,
		remedy: 'Save the adapter again.',
	});
	const configError = (key: string, message: string) =>
		inputError('ADAPTER_CONFIG', message, { place: `${place}: ${key}`, remedy: 'Save the adapter again.' });
	refuseUnknownKeys(json, prefixConfigKeys, configError);
	const size = (key: string): number => {
		const value = ownValue(json, key);
		if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
		throw configError(key, `a whole number from 1 on is expected, found ${describeJson(value)}`);
	};
	const [layers, heads, length] = ['num_layers', 'num_attention_heads', 'num_virtual_tokens'].map(size) as [
		number,
		number,
		number,
	];
	const width = 2 * layers * size('token_dim');
	const baseModel = ownValue(json, 'base_model_name_or_path') ?? '';
	if (typeof baseModel !== 'string') throw configError('base_model_name_or_path', 'a text is expected');
	const { prompt, head } = readParts(path.join(folder, WEIGHTS_FILE));
	if (prompt.shape.join() !== `${length},${width}`) {
		throw weightsError(
			folder,
			`${PROMPT} should be [${length}, ${width}] and is [${prompt.shape.join(', ')}]`,
		);
	}
	return { baseModel, layers, heads, prompt, head };
}

function readParts(file: string): Pick<PeftPrefix, 'prompt' | 'head'> {
	const tensors = readMatrices(file);
	const head = new Map<string, HostMatrix>();
	for (const [name, matrix] of tensors) {
		if (name === PROMPT) continue;
		const plain = name.replace(/^base_model\.(model\.)?/, '');
		if (!plain.startsWith('score.')) {
			throw weightsError(file, `${name} is neither ${PROMPT} nor part of a head`);
		}
		head.set(plain, matrix);
	}
	const prompt = tensors.get(PROMPT);
	if (prompt === undefined) throw weightsError(file, `there is no ${PROMPT}`);
	return { prompt, head };
}

/** Writes the two files, each whole or not at all. */
export function writePeftPrefix(folder: string, prefix: PeftPrefix): void {
	const { baseModel, layers, heads, prompt, head } = prefix;
	const [length, width] = prompt.shape as readonly [number, number];
	const json = {
		base_model_name_or_path: baseModel,
		inference_mode: true,
		modules_to_save: null,
		num_attention_heads: heads,
		num_layers: layers,
		num_transformer_submodules: 1,
		num_virtual_tokens: length,
		peft_type: 'PREFIX_TUNING',
		prefix_projection: false,
		// PEFT's classifiers take no prefix: it gives the states, and the head lies beside them
		task_type: head.size === 0 ? 'CAUSAL_LM' : 'FEATURE_EXTRACTION',
		token_dim: width / (2 * layers),
	};
	const tensors = [
		[PROMPT, prompt] as const,
		...[...head].map(([name, matrix]) => [`base_model.model.${name}`, matrix] as const),
	];
	writePeftFiles(folder, json, tensors);
}
