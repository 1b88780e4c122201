import path from 'node:path';
import {
	expectedTensors,
	type ModelFolder,
	modelFiles,
	parseJsonObject,
	type QuantizedType,
	valueTypeOf,
	writeFileAtomically,
} from '@vulntune/engine';
import { configFileName } from './model-files.ts';

/** Writes the model's config.json with a `quantization_config` that says how the linear layers are stored. */
export function writeQuantizedConfig(
	source: ModelFolder,
	folder: string,
	type: QuantizedType,
	doubleQuantization: boolean,
): void {
	const files = modelFiles(source.path);
	const place = files.placeOf(configFileName);
	const config = parseJsonObject(files.read(configFileName, 16_000_000)!, { code: 'MODEL_CONFIG', place });
	const quantization =
		type === 'nf4' || type === 'fp4'
			? bitsandbytesConfig(type, doubleQuantization, valueTypeOfModel(source))
			: { quant_method: 'vulntune', quant_type: type };
	const text = `${JSON.stringify({ ...config, quantization_config: quantization }, null, 2)}\n`;
	writeFileAtomically(path.join(folder, configFileName), (append) => append(new TextEncoder().encode(text)));
}

/** The fields that transformers writes beside a 4-bit checkpoint; the first two are how it finds its own flags again. */
function bitsandbytesConfig(type: 'nf4' | 'fp4', doubleQuantization: boolean, computeType: string): object {
	return {
		_load_in_4bit: true,
		_load_in_8bit: false,
		bnb_4bit_compute_dtype: computeType,
		bnb_4bit_quant_storage: 'uint8',
		bnb_4bit_quant_type: type,
		bnb_4bit_use_double_quant: doubleQuantization,
		llm_int8_enable_fp32_cpu_offload: false,
		llm_int8_has_fp16_weight: false,
		llm_int8_skip_modules: null,
		llm_int8_threshold: 6,
		load_in_4bit: true,
		load_in_8bit: false,
		quant_method: 'bitsandbytes',
	};
}

function valueTypeOfModel({ config, weights }: ModelFolder): string {
	const [embedding] = expectedTensors(config);
	return valueTypeOf(weights.info(embedding!.name)?.dtype ?? 'F32');
}
