import { inputError } from '../errors.ts';
import { readSmallFile } from '../formats/files.ts';
import { describeJson, isJsonObject, parseJsonObject } from '../formats/json.ts';
import { keyTable, refuseUnknownKeys } from '../formats/known-keys.ts';
import type { LoraConfig } from '../layers/lora.ts';
import { expressionOf, isNames, moduleSelection } from './module-selection.ts';

/**
 * The keys of PEFT's adapter_config.json (its 0.21 and before). `modules_to_save` is used in that what it names lies in the
 * weights, where each tensor is read or refused; the settings of a start (`eva_config`, …) are over once it has been made.
 */
export const adapterConfigKeys = keyTable({
	used: [
		'base_model_name_or_path',
		'exclude_modules',
		'layers_pattern',
		'layers_to_transform',
		'lora_alpha',
		'lora_dropout',
		'modules_to_save',
		'alpha_pattern',
		'r',
		'rank_pattern',
		'target_modules',
		'use_rslora',
	],
	neutral: [
		'auto_mapping',
		'corda_config',
		'ensure_weight_tying', // of embeddings, which no adapter here has
		'eva_config',
		'fan_in_fan_out', // of a Conv1D: PEFT takes it back for a Linear, as all modules here are
		'inference_mode',
		'loftq_config',
		'lora_ga_config',
		'megatron_core', // the name of a module, imported where there is a megatron_config
		'merge_weights', // of PEFT 0.2: when the product is added, not whether
		'peft_version',
		'qalora_group_size',
		'revision',
		'runtime_config',
	],
	off: [
		'alora_invocation_tokens',
		'arrow_config',
		'enable_lora',
		'kasa_config',
		'layer_replication',
		'lora_bias',
		'megatron_config',
		'monteclora_config',
		'target_parameters',
		'trainable_token_indices',
		'use_bdlora',
		'use_dora',
		'use_qalora',
		'velora_config',
	],
	only: {
		bias: ['none'],
		// those that leave the base as it is; pissa, olora, corda, loftq and lora_ga change it whenever PEFT loads the adapter
		init_lora_weights: [true, false, 'gaussian', 'orthogonal', 'eva', 'mica'],
		peft_type: ['LORA'],
		task_type: ['SEQ_CLS', 'CAUSAL_LM', 'FEATURE_EXTRACTION'],
	},
});

const remedies: Readonly<Record<string, string>> = {
	use_dora: 'Merge the adapter into its base with PEFT (merge_and_unload), or train it again without DoRA.',
	init_lora_weights:
		'With such a start PEFT changes the base when it loads the adapter. Save it as plain LoRA: ' +
		'save_pretrained(folder, path_initial_model_for_weight_conversion=…) in PEFT.',
};

/** adapter_config.json, checked. */
export interface AdapterConfig extends Omit<LoraConfig, 'targets'> {
	/** The base model that it was made for, as the file names it; empty where it names none. */
	readonly baseModel: string;
	/** Undefined where the file describes the modules in a way that only their names in the weights can tell. */
	readonly targets: readonly string[] | undefined;
	/** Whether PEFT adapts a module of this name. */
	readonly selects: (module: string) => boolean;
	/** Of a module, which patterns may give others than the rest; `rank` is the largest. */
	readonly rankOf: (module: string) => number;
	readonly alphaOf: (module: string) => number;
}

/** Throws ADAPTER_CONFIG for a key that changes what is computed and isn't read, and for values that can't be. */
export function readAdapterConfig(file: string): AdapterConfig {
	const json = parseJsonObject(readSmallFile(file, 16_000_000), {
		code: 'ADAPTER_CONFIG',
		place: file,
		remedy: 'Save the adapter again.',
	}) as Readonly<Record<string, unknown>>;
	const error = (key: string, message: string) =>
		inputError('ADAPTER_CONFIG', message, {
			place: `${file}: ${key}`,
			remedy:
				remedies[key] ??
				'Only LoRA adapters are read: rsLoRA, patterns of rank and alpha, and a head (score) besides.',
		});
	const wrong = (key: string, expected: string) =>
		error(key, `${expected} is expected, found ${describeJson(json[key])}`);
	if (typeof json.peft_type !== 'string') throw wrong('peft_type', '"LORA"');
	refuseUnknownKeys(json, adapterConfigKeys, error);
	const number = (key: string, fallback?: number): number => {
		const value = json[key] ?? fallback;
		if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw wrong(key, 'a number');
		return value;
	};
	const rank = number('r');
	if (!isRank(rank)) throw wrong('r', 'a positive whole number');
	const dropout = number('lora_dropout', 0);
	if (dropout >= 1) throw wrong('lora_dropout', 'a number from 0 up to 1, not 1 itself,');
	const rsLora = json.use_rslora ?? false;
	if (typeof rsLora !== 'boolean') throw wrong('use_rslora', 'true or false');
	const baseModel = json.base_model_name_or_path ?? '';
	if (typeof baseModel !== 'string') throw wrong('base_model_name_or_path', 'a path');
	const targets = json.target_modules ?? '';
	if (typeof targets !== 'string' && !isNames(targets)) {
		throw wrong('target_modules', 'a list of names or a regular expression');
	}
	if (json.modules_to_save != null && !isNames(json.modules_to_save)) {
		throw wrong('modules_to_save', 'a list of names');
	}
	const own = (key: string) => json[key] ?? undefined;
	const isNarrowed = ['exclude_modules', 'layers_to_transform', 'layers_pattern'].some(
		(key) => own(key) !== undefined,
	);
	const alpha = number('lora_alpha');
	const pattern = (key: string, fits: (value: number) => boolean) => {
		const patterns = own(key) ?? {};
		if (!isNumbers(patterns) || !Object.values(patterns).every(fits))
			throw wrong(key, 'an object of numbers');
		return Object.entries(patterns).map(
			([expression, value]) => [expressionOf(`(.*\\.)?(${expression})`, key, error), value] as const,
		);
	};
	const [ranks, alphas] = [pattern('rank_pattern', isRank), pattern('alpha_pattern', Number.isFinite)];
	const first = (patterns: typeof ranks, module: string, otherwise: number) =>
		patterns.find(([matches]) => matches(module))?.[1] ?? otherwise;
	return {
		rank: Math.max(rank, ...ranks.map(([, own]) => own)),
		alpha,
		dropout,
		rsLora,
		targets: isNames(targets) && !isNarrowed ? targets : undefined,
		baseModel,
		selects: moduleSelection(json, targets, error, wrong),
		rankOf: (module) => first(ranks, module, rank),
		alphaOf: (module) => first(alphas, module, alpha),
	};
}

function isRank(value: number): boolean {
	return Number.isInteger(value) && value >= 1 && value <= 65_536;
}

function isNumbers(value: unknown): value is Readonly<Record<string, number>> {
	return isJsonObject(value) && Object.values(value).every((number) => typeof number === 'number');
}
