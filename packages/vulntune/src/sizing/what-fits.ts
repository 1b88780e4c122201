import type { ModelConfig } from '@vulntune/engine';
import { estimateBytes } from './estimates.ts';
import { knownModel, shapeOf } from './model-shape.ts';

/** Whether a well-known model can be fine-tuned in a given memory, by estimate. */
export interface Fit {
	readonly model: string;
	readonly method: 'qlora' | 'lora';
	/** Estimate, with checkpointing where `checkpointing` says so. */
	readonly bytes: number;
	/** True where the default, without `training.checkpointing`, is too much. */
	readonly checkpointing: boolean;
	readonly fits: boolean;
}

/** Models that a user is likely to start from. */
const models = [
	'SmolLM2-135M',
	'SmolLM2-360M',
	'TinyLlama-1.1B',
	'DeepSeek-Coder-1.3B',
	'Qwen2.5-Coder-1.5B',
	'StarCoder2-3B',
	'DeepSeek-Coder-6.7B',
	'WizardCoder-Python-7B',
	'Qwen2.5-Coder-7B',
	'WizardCoder-Python-13B',
	'WizardCoder-Python-34B',
];

/** The setting of the estimates: adapters on all linear layers. */
export const fitSetting = { rank: 8, tokens: 512 } as const;

/** What QLoRA (NF4) and LoRA (bf16) take for well-known models, against `memoryBytes`. */
export function whatFits(memoryBytes: number): Fit[] {
	return models.flatMap((model) => {
		const config = knownModel(model);
		if (config === undefined) return [];
		const plain = estimateAdapterBytes(config, false);
		const least = estimateAdapterBytes(config, true);
		return (['qlora', 'lora'] as const).map((method) => {
			const checkpointing = plain[method] > memoryBytes;
			const bytes = checkpointing ? least[method] : plain[method];
			return { model, method, bytes, checkpointing, fits: bytes <= memoryBytes };
		});
	});
}

/**
 * Bytes that fine-tuning a model with adapters takes, under `fitSetting`. Measured beside it, on SmolLM2-135M (resident bytes after one
 * step, without a dataset): 0.73 to 0.90 of the estimate.
 */
export function estimateAdapterBytes(
	config: ModelConfig,
	checkpointing: boolean,
): { readonly qlora: number; readonly lora: number } {
	const shape = shapeOf(config);
	const { rank, tokens } = fitSetting;
	const trainable = shape.matrices.reduce((sum, { rows, columns }) => sum + rank * (rows + columns), 0);
	const total = (base: 'nf4' | 'bf16') =>
		Math.round(estimateBytes(shape, { base, trainable, full: false, tokens, checkpointing }).total);
	return { qlora: total('nf4'), lora: total('bf16') };
}
