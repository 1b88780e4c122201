import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../errors.ts';
import { readSmallFile, writeFileAtomically } from '../formats/files.ts';
import { toFloat32 } from '../formats/floats.ts';
import { parseJsonObject } from '../formats/json.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { writeSafetensors } from '../formats/safetensors/writer.ts';
import type { LoraConfig } from '../layers/lora.ts';

/** A LoRA adapter with its classification head, on the host. */
export interface PeftAdapter {
	readonly config: LoraConfig;
	/** The base model that it was made for, as written in adapter_config.json. */
	readonly baseModel: string;
	/** `<module>.lora_A.weight` [r, K] and `<module>.lora_B.weight` [N, r], without PEFT's prefix. */
	readonly matrices: ReadonlyMap<string, HostMatrix>;
	/**
	 * The classification head: `score.weight` [classes, H], and whatever a head with a hidden layer has besides under
	 * names that begin with `score.`; empty where there is none.
	 */
	readonly head: ReadonlyMap<string, HostMatrix>;
}

export interface HostMatrix {
	readonly shape: readonly number[];
	readonly values: Float32Array;
}

const PREFIX = 'base_model.model.';
const SCORE = 'score.weight';
const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';
const HEAD_FILE = 'head.safetensors';

/**
 * Reads an adapter folder as PEFT writes it: adapter_config.json and adapter_model.safetensors, with the head as
 * `base_model.model.score.weight` or as `weight` in a head.safetensors beside it.
 *
 * Throws ADAPTER_MISSING, ADAPTER_CONFIG for variants that can't be represented (DoRA, per-module ranks, biases)
 * and ADAPTER_WEIGHTS where matrices don't come in pairs of the configured rank or aren't floating-point.
 */
export function readPeftAdapter(folder: string): PeftAdapter {
	const configFile = path.join(folder, CONFIG_FILE);
	const weightsFile = path.join(folder, WEIGHTS_FILE);
	for (const file of [configFile, weightsFile]) {
		if (existsSync(file)) continue;
		throw inputError('ADAPTER_MISSING', `there is no ${path.basename(file)}`, {
			place: folder,
			remedy: 'Give the adapter folder of a run, or one saved by PEFT with safetensors.',
		});
	}
	const { targets, baseModel, ...plainConfig } = readConfig(configFile);
	const tensors = readTensors(weightsFile);
	const matrices = new Map<string, HostMatrix>();
	const head = new Map<string, HostMatrix>();
	for (const [name, matrix] of tensors) {
		const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
		// PEFT names a saved module by its adapter in some versions
		const plain = bare.replace('.modules_to_save.', '.').replace(/\.default\.(weight|bias)$/, '.$1');
		if (/\.lora_[AB]\.weight$/.test(plain)) matrices.set(plain, matrix);
		else if (plain.startsWith('score.')) head.set(plain, matrix);
		else throw weightsError(weightsFile, `${name} is no LoRA matrix`);
	}
	checkPairs(weightsFile, matrices, plainConfig.rank);
	const config = { ...plainConfig, targets: targets ?? adaptedModules(matrices) };
	return { config, baseModel, matrices, head: head.size > 0 ? head : readHead(folder) };
}

interface ConfigFile extends Omit<LoraConfig, 'targets'> {
	readonly baseModel: string;
	/** Undefined where the file describes the modules in a way that only their names in the weights can tell. */
	readonly targets: readonly string[] | undefined;
}

function readConfig(file: string): ConfigFile {
	const json = parseJsonObject(readSmallFile(file, 16_000_000), {
		code: 'ADAPTER_CONFIG',
		place: file,
		remedy: 'Save the adapter again.',
	}) as Record<string, unknown>;
	const fail = (field: string, expected: string) => {
		throw inputError('ADAPTER_CONFIG', `${expected} is expected, found ${JSON.stringify(json[field])}`, {
			place: `${file}: ${field}`,
			remedy: 'Only plain LoRA adapters are supported.',
		});
	};
	if (json.peft_type !== 'LORA') fail('peft_type', '"LORA"');
	for (const flag of ['use_dora', 'use_qalora', 'use_bdlora', 'lora_bias', 'fan_in_fan_out']) {
		if (json[flag] !== undefined && json[flag] !== null && json[flag] !== false) fail(flag, 'false');
	}
	if (json.bias !== undefined && json.bias !== 'none') fail('bias', '"none"');
	for (const pattern of ['rank_pattern', 'alpha_pattern']) {
		const value = json[pattern];
		if (value !== undefined && value !== null && Object.keys(value as object).length > 0) fail(pattern, '{}');
	}
	const number = (field: string, fallback?: number): number => {
		const value = json[field] ?? fallback;
		if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) fail(field, 'a number');
		return value as number;
	};
	const rank = number('r');
	if (!Number.isInteger(rank) || rank < 1 || rank > 65_536) fail('r', 'a positive whole number');
	const dropout = number('lora_dropout', 0);
	if (dropout >= 1) fail('lora_dropout', 'a number from 0 up to 1, not 1 itself,');
	const targets = json.target_modules ?? '';
	const isList = Array.isArray(targets) && targets.every((target) => typeof target === 'string');
	if (typeof targets !== 'string' && !isList)
		fail('target_modules', 'a list of names or a regular expression');
	const isNarrowed = ['exclude_modules', 'layers_to_transform', 'layers_pattern'].some(
		(field) => (json[field] ?? null) !== null,
	);
	return {
		rank,
		alpha: number('lora_alpha'),
		dropout,
		rsLora: json.use_rslora === true,
		targets: isList && !isNarrowed ? targets : undefined,
		baseModel: typeof json.base_model_name_or_path === 'string' ? json.base_model_name_or_path : '',
	};
}

/**
 * The modules that have an adapter. Stands for a `target_modules` that is "all-linear" or a regular expression of
 * Python's, and for lists that are narrowed to some layers: what they select is what lies in the weights.
 */
function adaptedModules(matrices: ReadonlyMap<string, HostMatrix>): string[] {
	const end = '.lora_A.weight';
	return [...matrices.keys()].filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));
}

function readTensors(file: string): Map<string, HostMatrix> {
	const source = openSafetensors(file);
	try {
		const tensors = new Map<string, HostMatrix>();
		for (const [name, { dtype, shape }] of source.tensors) {
			if (!['F32', 'F16', 'BF16', 'F64'].includes(dtype)) {
				throw weightsError(file, `${name} must hold floating-point numbers, found ${dtype}`);
			}
			tensors.set(name, { shape, values: toFloat32(source.read(name), dtype) });
		}
		return tensors;
	} finally {
		source.close();
	}
}

function readHead(folder: string): Map<string, HostMatrix> {
	const file = path.join(folder, HEAD_FILE);
	const weight = existsSync(file) ? readTensors(file).get('weight') : undefined;
	return new Map(weight === undefined ? [] : [[SCORE, weight]]);
}

function checkPairs(file: string, matrices: ReadonlyMap<string, HostMatrix>, rank: number): void {
	for (const [name, { shape }] of matrices) {
		const isA = name.endsWith('.lora_A.weight');
		const partner = isA ? name.replace('.lora_A.', '.lora_B.') : name.replace('.lora_B.', '.lora_A.');
		if (!matrices.has(partner)) throw weightsError(file, `${name} has no ${partner} beside it`);
		const found = shape.length === 2 ? shape[isA ? 0 : 1] : undefined;
		if (found !== rank) {
			throw weightsError(file, `${name} should have rank ${rank} and has the shape [${shape.join(', ')}]`);
		}
	}
}

function weightsError(file: string, message: string): Error {
	return inputError('ADAPTER_WEIGHTS', message, { place: file, remedy: 'Save the adapter again.' });
}

/** Writes the two files, each whole or not at all; the head goes into the weights as PEFT's SEQ_CLS saves it. */
export function writePeftAdapter(folder: string, adapter: PeftAdapter): void {
	const { config } = adapter;
	const modules = [...adapter.matrices.keys()].map((name) => name.split('.').at(-3)!);
	const json = {
		base_model_name_or_path: adapter.baseModel,
		bias: 'none',
		fan_in_fan_out: false,
		inference_mode: true,
		init_lora_weights: true,
		lora_alpha: config.alpha,
		lora_dropout: config.dropout,
		modules_to_save: adapter.head.size === 0 ? null : ['score'],
		peft_type: 'LORA',
		r: config.rank,
		target_modules: [...new Set(modules)].sort(),
		task_type: adapter.head.size === 0 ? 'CAUSAL_LM' : 'SEQ_CLS',
		use_dora: false,
		use_rslora: config.rsLora,
	};
	const tensors = [...adapter.matrices, ...adapter.head].map(
		([name, matrix]) => [`${PREFIX}${name}`, matrix] as const,
	);
	writeSafetensors(
		path.join(folder, WEIGHTS_FILE),
		tensors.map(([name, { shape, values }]) => ({
			name,
			dtype: 'F32' as const,
			shape,
			data: bytesOf(values),
		})),
		{ format: 'pt' },
	);
	const text = new TextEncoder().encode(`${JSON.stringify(json, null, '\t')}\n`);
	writeFileAtomically(path.join(folder, CONFIG_FILE), (append) => append(text));
}

function bytesOf(values: Float32Array): Uint8Array {
	return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
