import type { Fields } from '../../formats/huggingface/fields.ts';
import { keyTable } from '../../formats/known-keys.ts';
import type { Family } from '../family.ts';
import {
	type GatedDecoderConfig,
	gatedDecoder,
	gatedDecoderKeys,
	parseGatedDecoder,
} from '../gated-decoder.ts';
import { type LayerWindows, parseLayerWindows, parseWindow } from '../layer-windows.ts';

const used = [...gatedDecoderKeys.used, 'max_window_layers', 'use_sliding_window'];

/** Where a window is switched on, the first `max_window_layers` layers have none all the same. */
function parseWindows(fields: Fields, layers: number): LayerWindows {
	const isOn = fields.flag('use_sliding_window', false);
	const fullLayers =
		fields.raw('max_window_layers') === 0 ? 0 : fields.size('max_window_layers', { default: 28 });
	return parseLayerWindows(fields, layers, isOn ? parseWindow(fields, 4096) : undefined, {
		firstWindowed: fullLayers,
		canDiffer: true,
	});
}

/** Qwen2, Qwen2.5-Coder: Llama's shape with biases on q, k and v (Yang et al. 2024). */
export const qwen2: Family<GatedDecoderConfig> = {
	name: 'qwen2',
	modelTypes: ['qwen2'],
	keys: keyTable({ ...gatedDecoderKeys, used }),
	parse(fields) {
		const decoder = parseGatedDecoder(fields, { keyValueHeads: 32, maxPositions: 32_768 });
		return {
			architecture: 'qwen2',
			...decoder,
			attentionBias: { inputs: true, output: false },
			mlpBias: false,
			headNorms: false,
			windows: parseWindows(fields, decoder.layers),
		};
	},
	...gatedDecoder,
};

/** Qwen3: norms of each head's queries and keys in place of the biases (Yang et al. 2025). */
export const qwen3: Family<GatedDecoderConfig> = {
	name: 'qwen3',
	modelTypes: ['qwen3'],
	keys: keyTable({ ...gatedDecoderKeys, used: [...used, 'attention_bias'] }),
	parse(fields) {
		const decoder = parseGatedDecoder(fields, { keyValueHeads: 32, maxPositions: 32_768, headDim: 128 });
		const bias = fields.flag('attention_bias', false);
		return {
			architecture: 'qwen3',
			...decoder,
			attentionBias: { inputs: bias, output: bias },
			mlpBias: false,
			headNorms: true,
			windows: parseWindows(fields, decoder.layers),
		};
	},
	...gatedDecoder,
};
