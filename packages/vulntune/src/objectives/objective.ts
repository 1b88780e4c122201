import type { Checkpointing, Context, FocalOptions, Pending, Tensor } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Pack } from '../packing/pack.ts';
import type { PackPairs } from './pair-loss.ts';

/** What a pack's functions are to be taken for, [F] each. */
export interface PackLabels {
	/** 1 vulnerable, 0 not. */
	readonly labels: Int32Array;
	/** Weight of each function's loss: α of its class, class weight and status weight multiplied. */
	readonly weights: Float32Array;
	/** What is learnt of its pairs; absent where nothing is. */
	readonly pairs?: PackPairs;
}

/** What a detector makes of the functions of a pack; losses and probabilities are computed where they are asked for. */
export interface Judgement {
	/** [F] weighted, before any reduction. */
	losses(targets: PackLabels, focal: FocalOptions): Tensor;
	/** [F] of being vulnerable, on their way to the host. */
	probabilities(): Pending<Float32Array>;
}

/** How functions are asked about, and what the answer is taken for. */
export type Objective = (
	context: Context,
	detector: Detector,
	pack: Pack,
	options: { readonly checkpointing: Checkpointing },
) => Judgement;
