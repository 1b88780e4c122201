import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../errors.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import type { LoraConfig } from '../layers/lora.ts';
import { adaptedModules, loraNames, parseLoraName } from '../layers/lora-names.ts';
import { type AdapterConfig, readAdapterConfig } from './adapter-config.ts';
import { evenlyScaled } from './evenly-scaled.ts';
import {
	CONFIG_FILE,
	type HostMatrix,
	readMatrices,
	WEIGHTS_FILE,
	weightsError,
	writePeftFiles,
} from './peft-files.ts';

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

const PREFIX = 'base_model.model.';
const SCORE = 'score.weight';
const HEAD_FILE = 'head.safetensors';

/**
 * Reads an adapter folder as PEFT writes it: adapter_config.json and adapter_model.safetensors, with the head as
 * `base_model.model.score.weight` or as `weight` in a head.safetensors beside it.
 *
 * Throws ADAPTER_MISSING, ADAPTER_CONFIG for variants that can't be represented (see `adapterConfigKeys`) and
 * ADAPTER_WEIGHTS for a tensor that nothing reads, that isn't floating-point or holds NaN or infinity, for two heads that
 * differ, and where matrices don't come in pairs of the configured rank.
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
	const { targets, baseModel, selects, rankOf, alphaOf, ...plainConfig } = readAdapterConfig(configFile);
	const tensors = readMatrices(weightsFile);
	const matrices = new Map<string, HostMatrix>();
	const head = new Map<string, HostMatrix>();
	for (const [name, matrix] of tensors) {
		const plain = plainName(name);
		const isHead = plain.startsWith('score.');
		const kind = parseLoraName(plain) !== undefined ? matrices : isHead ? head : undefined;
		if (kind === undefined) throw weightsError(weightsFile, `${name} is no LoRA matrix`, onlyMatrices);
		if (kind.has(plain)) throw weightsError(weightsFile, `${plain} is there twice, once as ${name}`);
		kind.set(plain, matrix);
	}
	checkPairs(weightsFile, matrices, rankOf);
	const modules = adaptedModules(matrices.keys());
	const idle = modules.find((module) => !selects(module));
	if (idle !== undefined) {
		const message = `${CONFIG_FILE} leaves out ${idle}, for which there are matrices: PEFT would not apply them`;
		throw weightsError(weightsFile, message);
	}
	// where targets can't be listed (a regular expression, some layers alone), what they select is what lies in the weights
	const config = { ...plainConfig, targets: targets ?? modules };
	const even = evenlyScaled(matrices, config, { rankOf, alphaOf });
	return { config, baseModel, matrices: even, head: withHeadFile(folder, head) };
}

/** The name of a tensor as the model has it. */
function plainName(name: string): string {
	const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
	// PEFT names a saved module by its adapter in some versions
	return bare.replace('.modules_to_save.', '.').replace(/\.default\.(weight|bias)$/, '.$1');
}

/** The modules that an adapter folder has matrices for, from the header of its weights alone. */
export function readPeftModules(folder: string): string[] {
	const { tensors, close } = openSafetensors(path.join(folder, WEIGHTS_FILE));
	close();
	return adaptedModules(tensors.keys().map(plainName));
}

/** The head with what a head.safetensors beside the adapter has; two that differ would leave it to chance which is meant. */
function withHeadFile(
	folder: string,
	head: ReadonlyMap<string, HostMatrix>,
): ReadonlyMap<string, HostMatrix> {
	const file = path.join(folder, HEAD_FILE);
	if (!existsSync(file)) return head;
	const tensors = readMatrices(file);
	const unread = [...tensors.keys()].find((name) => name !== 'weight');
	if (unread !== undefined) throw weightsError(file, `${unread} is no part of a head`, onlyMatrices);
	const [weight, own] = [tensors.get('weight'), head.get(SCORE)];
	if (weight === undefined) return head;
	if (own !== undefined && !isSameMatrix(own, weight)) {
		throw weightsError(
			file,
			`weight is not the ${SCORE} of ${WEIGHTS_FILE}`,
			'Remove the one that is not meant.',
		);
	}
	return new Map([...head, [SCORE, weight]]);
}

function isSameMatrix(a: HostMatrix, b: HostMatrix): boolean {
	return a.shape.join() === b.shape.join() && a.values.every((value, index) => value === b.values[index]);
}

function checkPairs(
	file: string,
	matrices: ReadonlyMap<string, HostMatrix>,
	rankOf: AdapterConfig['rankOf'],
): void {
	for (const [name, { shape }] of matrices) {
		const { module, part } = parseLoraName(name)!;
		const partner = loraNames(module)[part === 'a' ? 'b' : 'a'];
		if (!matrices.has(partner)) throw weightsError(file, `${name} has no ${partner} beside it`);
		const rank = rankOf(module);
		const found = shape.length === 2 ? shape[part === 'a' ? 0 : 1] : undefined;
		if (found !== rank) {
			throw weightsError(file, `${name} should have rank ${rank} and has the shape [${shape.join(', ')}]`);
		}
	}
}

const onlyMatrices =
	'Only LoRA matrices and a classification head (score) are read: save the adapter without modules trained besides.';

/**
 * Writes the two files, each whole or not at all; the head goes into the weights as PEFT's SEQ_CLS saves it.
 *
 * @param isPeftHead false for a head that SEQ_CLS doesn't run as it was trained (another pooling than the last token, a hidden
 * layer): the adapter then claims no more than the features that PEFT gets from its matrices
 */
export function writePeftAdapter(folder: string, adapter: PeftAdapter, { isPeftHead = true } = {}): void {
	const { config } = adapter;
	const modules = adaptedModules(adapter.matrices.keys()).map((module) => module.split('.').at(-1)!);
	const json = {
		base_model_name_or_path: adapter.baseModel,
		bias: 'none',
		fan_in_fan_out: false,
		inference_mode: true,
		init_lora_weights: true,
		...(config.layersToTransform == null ? {} : { layers_to_transform: config.layersToTransform }),
		lora_alpha: config.alpha,
		lora_dropout: config.dropout,
		modules_to_save: adapter.head.size > 0 && isPeftHead ? ['score'] : null,
		peft_type: 'LORA',
		r: config.rank,
		target_modules: [...new Set(modules)].sort(),
		task_type: taskType(adapter, isPeftHead),
		use_dora: false,
		use_rslora: config.rsLora,
	};
	const tensors = [...adapter.matrices, ...adapter.head].map(
		([name, matrix]) => [`${PREFIX}${name}`, matrix] as const,
	);
	writePeftFiles(folder, json, tensors);
}

function taskType({ head }: PeftAdapter, isPeftHead: boolean): string {
	if (head.size === 0) return 'CAUSAL_LM';
	return isPeftHead ? 'SEQ_CLS' : 'FEATURE_EXTRACTION';
}
