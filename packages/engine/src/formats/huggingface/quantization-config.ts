import { keyTable } from '../known-keys.ts';
import type { Fields } from './fields.ts';

/** How the linear layers of a checkpoint are stored. */
export type QuantizationConfig =
	/** In 4 bits, in bitsandbytes' layout. */
	| {
			readonly method: 'bitsandbytes';
			readonly type: 'nf4' | 'fp4';
			/** The scales of the blocks are themselves quantised, to 8 bits. */
			readonly doubleQuantization: boolean;
	  }
	/** In a layout of ours; `type` is `int8`, `quantile2` … `quantile8` or `normal2` … `normal8`. */
	| { readonly method: 'vulntune'; readonly type: string };

/**
 * The keys of bitsandbytes' `quantization_config`. The types that it names for storage and computing are neutral: the
 * tensors say how they are stored, and `training.precision` how is computed; `llm_int8_skip_modules` too: the tensors say
 * which of them are quantised.
 */
export const bitsandbytesKeys = keyTable({
	used: [
		...['quant_method', 'load_in_4bit', '_load_in_4bit', 'load_in_8bit', '_load_in_8bit'],
		...['bnb_4bit_quant_type', 'bnb_4bit_use_double_quant'],
	],
	neutral: [
		...['bnb_4bit_compute_dtype', 'bnb_4bit_quant_storage', 'llm_int8_enable_fp32_cpu_offload'],
		...['llm_int8_has_fp16_weight', 'llm_int8_skip_modules', 'llm_int8_threshold'],
	],
});

/** The keys of ours. */
export const ownQuantizationKeys = keyTable({ used: ['quant_method', 'quant_type'], neutral: [] });

/** `quantization_config` of config.json; undefined where the weights are stored as they are. */
export function parseQuantization(config: Fields): QuantizationConfig | undefined {
	const fields = config.object('quantization_config');
	if (fields === undefined) return undefined;
	const method = fields.text('quant_method') ?? 'bitsandbytes';
	if (method === 'vulntune') {
		fields.refuseOthers(ownQuantizationKeys);
		return { method, type: parseOwnType(fields) };
	}
	if (method !== 'bitsandbytes') {
		throw fields.error(
			'quant_method',
			`weights quantised by bitsandbytes are expected, found ${JSON.stringify(method)}`,
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
	};
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
