import type { ModelConfig } from '@vulntune/engine';
import { estimateBytes } from '../plan/estimates.ts';
import { knownModel, shapeOf } from '../plan/model-shape.ts';

/** Whether a well-known model can be fine-tuned in a given memory, by estimate. */
export interface Fit {
	readonly model: string;
	readonly method: 'qlora' | 'lora';
	readonly bytes: number;
	readonly fits: boolean;
}

/** Models that a user is likely to start from. */
const models = ['SmolLM2-135M', 'DeepSeek-Coder-1.3B', 'CodeLlama-7B', 'WizardCoder-Python-13B'];

/** The setting of the estimates: adapters on all linear layers, checkpointing. */
export const fitSetting = { rank: 8, tokens: 512 } as const;

/** What QLoRA (NF4) and LoRA (bf16) take for well-known models, against `memoryBytes`. */
export function whatFits(memoryBytes: number): Fit[] {
	return models.flatMap((model) => {
		const config = knownModel(model);
		if (config === undefined) return [];
		const estimate = estimateAdapterBytes(config);
		return (['qlora', 'lora'] as const).map((method) => {
			const bytes = estimate[method];
			return { model, method, bytes, fits: bytes <= memoryBytes };
		});
	});
}

/** Bytes that fine-tuning a model with adapters takes, under `fitSetting`. */
export function estimateAdapterBytes(config: ModelConfig): { readonly qlora: number; readonly lora: number } {
	const shape = shapeOf(config);
	const { rank, tokens } = fitSetting;
	const trainable = shape.matrices.reduce((sum, { rows, columns }) => sum + rank * (rows + columns), 0);
	const total = (base: 'nf4' | 'bf16') =>
		Math.round(estimateBytes(shape, { base, trainable, full: false, tokens, checkpointing: true }).total);
	return { qlora: total('nf4'), lora: total('bf16') };
}
