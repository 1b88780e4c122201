import { keyTable } from '../../formats/known-keys.ts';
import type { Family } from '../family.ts';
import {
	type GatedDecoderConfig,
	gatedDecoder,
	gatedDecoderKeys,
	parseGatedDecoder,
} from '../gated-decoder.ts';
import { parseLayerWindows, parseWindow } from '../layer-windows.ts';

/** Llama's shape in which every layer sees a window of the text (Jiang et al. 2023). */
export const mistral: Family<GatedDecoderConfig> = {
	name: 'mistral',
	modelTypes: ['mistral'],
	keys: keyTable(gatedDecoderKeys),
	parse(fields) {
		const decoder = parseGatedDecoder(fields, { keyValueHeads: 8, maxPositions: 131_072 });
		return {
			architecture: 'mistral',
			...decoder,
			attentionBias: { inputs: false, output: false },
			mlpBias: false,
			headNorms: false,
			// transformers' Mistral doesn't read layer_types: a list may only say what it does
			windows: parseLayerWindows(fields, decoder.layers, parseWindow(fields, 4096), {
				firstWindowed: 0,
				canDiffer: false,
			}),
		};
	},
	...gatedDecoder,
};
