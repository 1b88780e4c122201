import { keyTable } from '../../formats/known-keys.ts';
import type { Family } from '../family.ts';
import {
	type GatedDecoderConfig,
	gatedDecoder,
	gatedDecoderKeys,
	parseGatedDecoder,
} from '../gated-decoder.ts';
import { parseLayerWindows, parseWindow } from '../layer-windows.ts';

/** Llama, Code Llama, WizardCoder-Python, DeepSeek-Coder, SmolLM2, TinyLlama. */
export const llama: Family<GatedDecoderConfig> = {
	name: 'llama',
	modelTypes: ['llama'],
	keys: keyTable({
		...gatedDecoderKeys,
		used: [...gatedDecoderKeys.used, 'attention_bias', 'mlp_bias'],
		// where a file names a window all the same, positions end: it makes no difference how many layers would use it
		neutral: [...gatedDecoderKeys.neutral, 'max_window_layers', 'use_sliding_window'],
	}),
	parse(fields) {
		const decoder = parseGatedDecoder(fields, { maxPositions: 2048 });
		const bias = fields.flag('attention_bias', false);
		// Llama has none: some readers go by it and others don't, and up to its length both are right
		const window = parseWindow(fields, undefined);
		parseLayerWindows(fields, decoder.layers, window, { firstWindowed: 0, canDiffer: true });
		return {
			architecture: 'llama',
			...decoder,
			maxPositions: Math.min(decoder.maxPositions, window ?? Number.POSITIVE_INFINITY),
			attentionBias: { inputs: bias, output: bias },
			mlpBias: fields.flag('mlp_bias', false),
			headNorms: false,
			windows: [],
		};
	},
	...gatedDecoder,
};
