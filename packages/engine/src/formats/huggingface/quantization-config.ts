import { keyTable } from '../known-keys.ts';
import type { Fields } from './fields.ts';

/** Which linear layers are quantised; all of them where nothing is said. */
interface QuantizedModules {
	/** Names, or parts of names, of modules that stay as they are. */
	readonly plainModules?: readonly string[];
	/** The same of the modules that alone are quantised. */
	readonly onlyModules?: readonly string[];
}

/** How the linear layers of a checkpoint are stored. */
export type QuantizationConfig = QuantizedModules &
	/** In 4 bits, in bitsandbytes' layout. */
	(
		| {
				readonly method: 'bitsandbytes';
				readonly type: 'nf4' | 'fp4';
				/** The scales of the blocks are themselves quantised, to 8 bits. */
				readonly doubleQuantization: boolean;
		  }
		| PackedIntegerConfig
		/** In a layout of ours; `type` is `int8`, `quantile2` … `quantile8` or `normal2` … `normal8`. */
		| { readonly method: 'vulntune'; readonly type: string }
	);

/** In whole numbers, packed into words: `type` is `gptq4`, `awq4` and the like. They are read as the numbers that they stand for. */
export interface PackedIntegerConfig extends QuantizedModules {
	readonly method: 'gptq' | 'awq';
	readonly type: string;
	readonly bits: number;
	/** Inputs that share a scale; undefined where all do. */
	readonly groupSize: number | undefined;
	/** What the stored zeros lack. */
	readonly zeroOffset: 0 | 1;
	/** Inputs share scales in another order than their own, which the checkpoint must then have. */
	readonly isReordered: boolean;
}

/** The keys of GPTQ's `quantization_config`. How a matrix was made is neutral: its tensors say what came of it. */
export const gptqKeys = keyTable({
	used: [
		...['quant_method', 'bits', 'group_size', 'checkpoint_format', 'format', 'desc_act'],
		'modules_in_block_to_quantize',
	],
	neutral: [
		...['sym', 'static_groups', 'true_sequential', 'damp_percent', 'damp_auto_increment', 'mse'],
		...['dataset', 'tokenizer', 'batch_size', 'pad_token_id', 'model_seqlen', 'model_name_or_path'],
		...['model_file_base_name', 'block_name_to_quantize', 'module_name_preceding_first_block'],
		...['cache_block_outputs', 'use_cuda_fp16', 'use_exllama', 'disable_exllama'],
		...['exllama_config', 'max_input_length', 'backend', 'meta', 'quantizer', 'act_group_aware', 'hyb_act'],
	],
	off: ['dynamic', 'adapter', 'rotation'],
	only: { is_marlin_format: [false], lm_head: [false], pack_dtype: ['int32'] },
});

/** The keys of AWQ's `quantization_config`. */
export const awqKeys = keyTable({
	used: ['quant_method', 'bits', 'group_size', 'version', 'format', 'modules_to_not_convert'],
	neutral: ['do_fuse', 'fuse_max_seq_len', 'modules_to_fuse', 'exllama_config', 'backend'],
	only: { zero_point: [true] },
});

/**
 * The keys of bitsandbytes' `quantization_config`. The types that it names for storage and computing are neutral: the
 * tensors say how they are stored, and `training.precision` how is computed.
 */
export const bitsandbytesKeys = keyTable({
	used: [
		...['quant_method', 'load_in_4bit', '_load_in_4bit', 'load_in_8bit', '_load_in_8bit'],
		...['bnb_4bit_quant_type', 'bnb_4bit_use_double_quant', 'llm_int8_skip_modules'],
	],
	neutral: [
		...['bnb_4bit_compute_dtype', 'bnb_4bit_quant_storage', 'llm_int8_enable_fp32_cpu_offload'],
		...['llm_int8_has_fp16_weight', 'llm_int8_threshold'],
	],
});

/** The keys of ours. */
const ownQuantizationKeys = keyTable({ used: ['quant_method', 'quant_type'], neutral: [] });

/** `quantization_config` of config.json; undefined where the weights are stored as they are. */
export function parseQuantization(config: Fields): QuantizationConfig | undefined {
	const fields = config.object('quantization_config');
	if (fields === undefined) return undefined;
	const method = fields.text('quant_method') ?? 'bitsandbytes';
	if (method === 'vulntune') {
		fields.refuseOthers(ownQuantizationKeys);
		return { method, type: parseOwnType(fields) };
	}
	if (method === 'gptq') return parseGptq(fields);
	if (method === 'awq') return parseAwq(fields);
	if (method !== 'bitsandbytes') {
		throw fields.error(
			'quant_method',
			`weights quantised by bitsandbytes, gptq or awq are expected, found ${JSON.stringify(method)}`,
			'Take the model as it was before this quantisation; vulntune quantises it itself.',
		);
	}
	fields.refuseOthers(bitsandbytesKeys);
	if (readFlag(fields, 'load_in_8bit')) {
		throw fields.error(
			'load_in_8bit',
			'8-bit checkpoints of bitsandbytes are not supported',
			'Take the unquantised model; vulntune quantises it itself.',
		);
	}
	if (!readFlag(fields, 'load_in_4bit')) return undefined;
	const type = fields.text('bnb_4bit_quant_type') ?? 'fp4';
	if (type !== 'nf4' && type !== 'fp4') {
		throw fields.error('bnb_4bit_quant_type', `nf4 or fp4 is expected, found ${JSON.stringify(type)}`);
	}
	return {
		method: 'bitsandbytes',
		type,
		doubleQuantization: fields.flag('bnb_4bit_use_double_quant', false),
		...plainModules(fields, 'llm_int8_skip_modules'),
	};
}

/** Modules that stay as they are, where any are named. */
function plainModules(fields: Fields, key: string): QuantizedModules {
	const names = fields.has(key) ? moduleNames(fields, key, fields.raw(key)) : [];
	return names.length === 0 ? {} : { plainModules: names };
}

/** Names in a list, or in lists of those that are quantised together. */
function moduleNames(fields: Fields, key: string, value: unknown): readonly string[] {
	if (typeof value === 'string') return [value];
	if (Array.isArray(value)) return value.flatMap((part) => moduleNames(fields, key, part));
	throw fields.error(key, 'a list of names is expected');
}

const onlyKey = 'modules_in_block_to_quantize';

function parseGptq(fields: Fields): PackedIntegerConfig {
	fields.refuseOthers(gptqKeys);
	const bits = fields.size('bits');
	if (![2, 4, 8].includes(bits))
		throw fields.error('bits', `2, 4 or 8 is expected, found ${bits}`, otherFormat);
	const format = layoutName(fields, 'checkpoint_format', ['gptq', 'gptq_v2']);
	return {
		method: 'gptq',
		type: `gptq${bits}`,
		bits,
		groupSize: groupSize(fields),
		zeroOffset: format === 'gptq_v2' ? 0 : 1,
		isReordered: fields.flag('desc_act', false),
		...(fields.has(onlyKey) && { onlyModules: moduleNames(fields, onlyKey, fields.raw(onlyKey)) }),
	};
}

function parseAwq(fields: Fields): PackedIntegerConfig {
	fields.refuseOthers(awqKeys);
	const bits = fields.size('bits');
	if (bits !== 4) throw fields.error('bits', `4 is expected, found ${bits}`, otherFormat);
	layoutName(fields, 'version', ['gemm']);
	return {
		...({ method: 'awq', type: 'awq4', bits, groupSize: groupSize(fields) } as const),
		...({ zeroOffset: 0, isReordered: false } as const),
		...plainModules(fields, 'modules_to_not_convert'),
	};
}

const otherFormat = 'Take the model as it was before this quantisation; vulntune quantises it itself.';

/** The name of a layout under the key that had it first, or under `format`; without one it is the first. */
function layoutName(fields: Fields, key: string, known: readonly string[]): string {
	const [first, second] = [fields.text(key), fields.text('format')].map((name) => name?.toLowerCase());
	const name = first ?? second ?? known[0]!;
	const place = first === undefined ? 'format' : key;
	if (first !== undefined && second !== undefined && first !== second) {
		throw fields.error('format', `${key} says ${first}, and this ${second}`);
	}
	if (known.includes(name)) return name;
	throw fields.error(place, `${known.join(' or ')} is expected, found ${JSON.stringify(name)}`, otherFormat);
}

/** -1 says that there are no groups. */
function groupSize(fields: Fields): number | undefined {
	return fields.raw('group_size') === -1 ? undefined : fields.size('group_size', { default: 128 });
}

function parseOwnType(fields: Fields): string {
	const type = fields.text('quant_type') ?? '';
	if (/^(int8|(quantile|normal)[2-8])$/.test(type)) return type;
	throw fields.error(
		'quant_type',
		`int8, quantile2 to quantile8 or normal2 to normal8 is expected, found ${JSON.stringify(type)}`,
		'Quantise the model again with this version.',
	);
}

/** Some versions write the flag under a private name as well, some only there. */
function readFlag(fields: Fields, name: string): boolean {
	const own = `_${name}`;
	const value = fields.flag(fields.has(name) ? name : own, false);
	if (fields.has(own) && fields.flag(own, false) !== value) {
		throw fields.error(own, `${name} says ${value}, and this ${!value}`);
	}
	return value;
}
