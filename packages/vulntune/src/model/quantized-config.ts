import path from 'node:path';
import {
	expectedTensors,
	headTensor,
	type ModelFolder,
	modelFiles,
	parseJsonObject,
	type QuantizedType,
	valueTypeOf,
	writeTextAtomically,
} from '@vulntune/engine';
import { configFileName } from './model-files.ts';

/**
 * Writes the model's config.json with a `quantization_config` that says how the linear layers are stored.
 *
 * @param kept names of tensors beside the base that are not quantised
 */
export function writeQuantizedConfig(
	source: ModelFolder,
	folder: string,
	type: QuantizedType,
	doubleQuantization: boolean,
	kept: readonly string[],
): void {
	const files = modelFiles(source.path);
	const place = files.placeOf(configFileName);
	const config = parseJsonObject(files.read(configFileName, 16_000_000)!, { code: 'MODEL_CONFIG', place });
	const quantization =
		type === 'nf4' || type === 'fp4'
			? bitsandbytesConfig(type, doubleQuantization, valueTypeOfModel(source), denseModules(source, kept))
			: { quant_method: 'vulntune', quant_type: type };
	const text = `${JSON.stringify({ ...config, quantization_config: quantization }, null, 2)}\n`;
	writeTextAtomically(path.join(folder, configFileName), text);
}

/** The fields that transformers writes beside a 4-bit checkpoint; the first two are how it finds its own flags again. */
function bitsandbytesConfig(
	type: 'nf4' | 'fp4',
	doubleQuantization: boolean,
	computeType: string,
	dense: readonly string[] | null,
): object {
	return {
		_load_in_4bit: true,
		_load_in_8bit: false,
		bnb_4bit_compute_dtype: computeType,
		bnb_4bit_quant_storage: 'uint8',
		bnb_4bit_quant_type: type,
		bnb_4bit_use_double_quant: doubleQuantization,
		llm_int8_enable_fp32_cpu_offload: false,
		llm_int8_has_fp16_weight: false,
		llm_int8_skip_modules: dense,
		load_in_4bit: true,
		load_in_8bit: false,
		quant_method: 'bitsandbytes',
	};
}

function valueTypeOfModel({ config, weights }: ModelFolder): string {
	const [embedding] = expectedTensors(config);
	return valueTypeOf(weights.info(embedding!.name)?.dtype ?? 'F32');
}

/** The modules that transformers is not to look for in 4 bits; null where those that it leaves out by itself are all. */
function denseModules({ config }: ModelFolder, kept: readonly string[]): readonly string[] | null {
	const modules = kept
		.filter((name) => name.endsWith('.weight'))
		.map((name) => name.replace(/\.weight$/, ''));
	if (modules.length === 0) return null;
	const outputMatrix = headTensor(config)?.name.replace(/\.weight$/, '');
	return outputMatrix === undefined ? modules : [...modules, outputMatrix];
}
