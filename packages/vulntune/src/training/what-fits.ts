import type { ModelConfig } from '@vulntune/engine';
import { classObjective } from '../objectives/class-objective.ts';
import { knownModel } from '../sizing/model-shape.ts';
import type { RehearsedRun } from './rehearse.ts';
import { fullPacks } from './rehearsed-run.ts';
import { cardMemory, hostMemory } from './run-memory.ts';

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

/** Where a model is fine-tuned: a computer's memory or a card's. */
export type Place = 'host' | 'card';

/** What QLoRA (NF4) and LoRA (bf16) take for well-known models, against `memoryBytes`. */
export function whatFits(memoryBytes: number, place: Place = 'host'): Fit[] {
	return models.flatMap((model) => {
		const config = knownModel(model);
		if (config === undefined) return [];
		return (['qlora', 'lora'] as const).map((method) => {
			const bytesWith = (checkpointing: boolean) => adapterBytes(config, method, place, checkpointing);
			const plain = bytesWith(false);
			const checkpointing = plain > memoryBytes;
			const bytes = checkpointing ? bytesWith(true) : plain;
			return { model, method, bytes, checkpointing, fits: bytes <= memoryBytes };
		});
	});
}

/** Layers of the two rehearsals from which those of a whole model follow: each adds as much as the one before it. */
const [few, more] = [2, 4];

/**
 * Bytes that fine-tuning a model with adapters takes, under `fitSetting`: of a few of its layers rehearsed, the others alike. Beside
 * rehearsals of all layers: within 5 %.
 */
export function adapterBytes(
	model: ModelConfig,
	method: Fit['method'],
	place: Place,
	checkpointing: boolean,
): number {
	const { rank, tokens } = fitSetting;
	const lora = { rank, alpha: 4 * rank, dropout: 0.05, targets: 'all-linear', rsLora: false } as const;
	const ofLayers = (layers: number) => {
		const run: RehearsedRun = {
			model: { ...model, layers },
			detector: {
				method: { type: method, lora },
				base: method === 'qlora' ? 'nf4' : 'bf16',
				doubleQuantization: true,
				head: { pool: 'last', hidden: null },
				maxPositions: tokens,
			},
			pass: {
				objective: classObjective,
				precision: 'bf16',
				focal: { gamma: 1, gradient: 'full' },
				checkpointing,
			},
			packs: fullPacks(tokens),
		};
		return (place === 'host' ? hostMemory(run) : cardMemory(run)).total;
	};
	if (model.layers <= more) return ofLayers(model.layers);
	const start = ofLayers(few);
	return Math.round(start + ((ofLayers(more) - start) / (more - few)) * (model.layers - few));
}
