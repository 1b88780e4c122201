import type { BaseType } from '@vulntune/engine';
import type { TransformerShape } from './model-shape.ts';

/** Bytes per weight of a matrix inside a block; 4-bit types carry one fp32 scale per 64 weights in memory. */
function bytesPerWeight(base: BaseType): number {
	if (base === 'fp32') return 4;
	if (base === 'bf16') return 2;
	if (base === 'nf4' || base === 'fp4') return 0.5 + 4 / 64;
	return base === 'int8' ? 1 : 1 + 4 / 64;
}

/** Node, the addon, rows and tokenizer. */
const PROCESS_BYTES = 250 * 2 ** 20;

export interface MemorySettings {
	readonly base: BaseType;
	readonly trainable: number;
	/** Whether all weights are trained, in float32, with no frozen copy beside them. */
	readonly full: boolean;
	/** Of one sequence. */
	readonly tokens: number;
	readonly checkpointing: boolean;
}

/**
 * Memory of a run: the base; parameter, gradient of a pack and of a step, and two moments of everything trained; and the activations that a
 * backward pass needs (per block: the input, q, k, v, attention's output, the middle, gate and up, in float32 as on the CPU; a
 * plain network has one of the last two, and a card that keeps them in 16 bits takes half; norms and the product of gate and up are
 * made again), of one block only with checkpointing.
 */
export function estimateBytes(shape: TransformerShape, settings: MemorySettings) {
	const linear = shape.matrices.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
	const dense = shape.parameters - linear;
	const base = settings.full
		? 0
		: linear * bytesPerWeight(settings.base) + dense * (settings.base === 'fp32' ? 4 : 2);
	const trained = settings.trainable * 20;
	const { hiddenSize, keyValueSize, intermediateSize, layers } = shape;
	const perBlock = 4 * hiddenSize + 2 * keyValueSize + 2 * intermediateSize;
	const kept = settings.checkpointing ? layers * hiddenSize + perBlock : layers * perBlock;
	const activations = 4 * settings.tokens * kept;
	return { base, trained, activations, total: base + trained + activations + PROCESS_BYTES };
}

export interface WorkSettings {
	/** What the backward pass computes: nothing, gradients of inputs (frozen base), or of weights too. */
	readonly backward: 'none' | 'inputs' | 'all';
	readonly checkpointing: boolean;
}

/** Operations per token of the matrix products: two per weight and pass. Attention and adapters are left out. */
export function estimateFlops(
	shape: TransformerShape,
	settings: WorkSettings,
): { readonly forward: number; readonly training: number } {
	const linear = shape.matrices.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
	const forward = 2 * linear;
	const backward = { none: 0, inputs: 1, all: 2 }[settings.backward];
	const again = settings.checkpointing && backward > 0 ? 1 : 0;
	return { forward, training: forward * (1 + backward + again) };
}
