import type { BaseType, Checkpointing, ModelConfig } from '@vulntune/engine';
import { classObjective } from '../objectives/class-objective.ts';
import { knownModel } from '../sizing/model-shape.ts';
import type { RehearsedRun } from './rehearse.ts';
import { fullPacks } from './rehearsed-run.ts';
import {
	type CardKind,
	cardMemory,
	fitInto,
	hostMemory,
	type MemoryOf,
	once,
	type RunMemory,
} from './run-memory.ts';

/** Whether a well-known model can be fine-tuned in a given memory, by estimate. */
export interface ModelFit {
	readonly model: string;
	readonly method: 'qlora' | 'lora';
	/** Estimate, with checkpointing as `checkpointing` says. */
	readonly bytes: number;
	/** What `training.checkpointing: auto` would come to: true where more is too much, `host` where that is too much on a card. */
	readonly checkpointing: Checkpointing;
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

/** Where a model is fine-tuned: a computer's memory, any card's or that of one. */
export type Place = 'host' | 'card' | CardKind;

/** What QLoRA (NF4) and LoRA (bf16) take for well-known models, against `memoryBytes`. */
export function whatFits(memoryBytes: number, place: Place = 'host'): ModelFit[] {
	return models.flatMap((model) => {
		const config = knownModel(model);
		if (config === undefined) return [];
		return (['qlora', 'lora'] as const).map((method) => {
			const needed: MemoryOf<Total> = (checkpointing) => adapterMemory(config, method, place, checkpointing);
			return { model, method, ...fitOf(memoryBytes, needed) };
		});
	});
}

/** Memory that cards are sold with: RTX 4060, T4 and 4080, 4090 and A10, A6000, A100 and H100; in 10⁹ bytes. */
export const cardGigabytes = [8, 16, 24, 48, 80] as const;

/** How fine-tuning with adapters fits somewhere, by estimate. */
export interface PlaceFit {
	readonly method: ModelFit['method'];
	/** `machine` is this one's own memory; a card otherwise. */
	readonly place: 'machine' | 'card';
	/** 10⁹ bytes that the place has. */
	readonly gigabytes: number;
	readonly bytes: number;
	readonly checkpointing: Checkpointing;
	readonly fits: boolean;
}

/** What a model takes in memory: as a base, and while it is fine-tuned on sequences of so many tokens. */
export interface ModelMemory {
	readonly tokens: number;
	/** Bytes of the base in a computer's memory, by what its matrices are stored in. */
	readonly weights: Readonly<Record<'fp32' | 'bf16' | 'int8' | 'nf4', number>>;
	readonly fits: readonly PlaceFit[];
}

/**
 * What a model takes, of `fitSetting` but for the length.
 *
 * @param tokens at most the model's own longest sequence
 * @param machineBytes this machine's memory
 */
export function modelMemory(model: ModelConfig, tokens: number, machineBytes: number): ModelMemory {
	const places = [
		{ place: 'machine', gigabytes: machineBytes / 1e9 } as const,
		...cardGigabytes.map((gigabytes) => ({ place: 'card', gigabytes }) as const),
	];
	const fits = (['qlora', 'lora'] as const).flatMap((method) => {
		const needed = {
			machine: once<Total>((checkpointing) => adapterMemory(model, method, 'host', checkpointing, tokens)),
			card: once<Total>((checkpointing) => adapterMemory(model, method, 'card', checkpointing, tokens)),
		};
		return places.map(
			({ place, gigabytes }): PlaceFit => ({
				...{ method, place, gigabytes },
				...fitOf(gigabytes * 1e9, needed[place]),
			}),
		);
	});
	// a base in fp32 keeps what a checkpoint holds in 16 bits as it is, so this is one of a checkpoint in fp32
	const dtypeOf = () => 'F32' as const;
	const baseIn = (base: BaseType) =>
		ofAllLayers(model, (few) => {
			const run = adapterRun(few, base, 1, false);
			return hostMemory(base === 'fp32' ? { ...run, dtypeOf } : run).base;
		});
	const weights = { fp32: baseIn('fp32'), bf16: baseIn('bf16'), int8: baseIn('int8'), nf4: baseIn('nf4') };
	return { tokens, weights, fits };
}

type Total = Pick<RunMemory, 'total'>;

function fitOf(
	memoryBytes: number,
	needed: MemoryOf<Total>,
): Pick<ModelFit, 'bytes' | 'checkpointing' | 'fits'> {
	const { memory, checkpointing, fits } = fitInto(memoryBytes, 'auto', needed);
	return { bytes: memory.total, checkpointing, fits };
}

/** Layers of the two rehearsals from which those of a whole model follow: from the first on, training takes more than scoring, and each adds as much as the one before it. */
const [few, more] = [8, 12];

/**
 * Bytes that fine-tuning a model with adapters takes, under `fitSetting`: of a few of its layers rehearsed, the others alike. Beside
 * rehearsals of all layers: within 5 %.
 */
export function adapterMemory(
	model: ModelConfig,
	method: ModelFit['method'],
	place: Place,
	checkpointing: Checkpointing,
	tokens: number = fitSetting.tokens,
): Total {
	const base = method === 'qlora' ? 'nf4' : 'bf16';
	const total = ofAllLayers(model, (few) => {
		const run = adapterRun(few, base, tokens, checkpointing);
		if (place === 'host') return hostMemory(run).total;
		return cardMemory(run, place === 'card' ? undefined : place).total;
	});
	return { total };
}

/** A number of bytes that grows by the same with each layer. */
function ofAllLayers(model: ModelConfig, ofLayers: (model: ModelConfig) => number): number {
	const bytes = (layers: number) => ofLayers({ ...model, layers });
	if (model.layers <= more) return bytes(model.layers);
	const start = bytes(few);
	return Math.round(start + ((bytes(more) - start) / (more - few)) * (model.layers - few));
}

/** A run under `fitSetting` but for the length. */
export function adapterRun(
	model: ModelConfig,
	base: BaseType,
	tokens: number,
	checkpointing: Checkpointing,
): RehearsedRun {
	const { rank } = fitSetting;
	const lora = { rank, alpha: 4 * rank, dropout: 0.05, targets: 'all-linear', rsLora: false } as const;
	return {
		model,
		detector: {
			method: { type: base === 'fp32' || base === 'bf16' ? 'lora' : 'qlora', lora },
			base,
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
}
