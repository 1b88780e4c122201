import type { Context, FocalOptions, Tensor, View } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import type { Pack } from '../packing/pack.ts';

/** What a pack's functions are to be taken for, [F] each. */
export interface PackLabels {
	/** 1 vulnerable, 0 not. */
	readonly labels: Int32Array;
	/** Weight of each function's loss: α of its class, class weight and status weight multiplied. */
	readonly weights: Float32Array;
}

export interface ObjectiveOutput {
	/** [F] weighted, before any reduction. */
	readonly losses: Tensor;
	/** [F, 2]; column 1 is the probability of being vulnerable. */
	readonly probabilities: View;
}

/** Turns a pack into a loss and a probability per function. */
export type Objective = (
	context: Context,
	detector: Detector,
	pack: Pack,
	targets: PackLabels,
	options: ObjectiveOptions,
) => ObjectiveOutput;

export interface ObjectiveOptions {
	readonly focal: FocalOptions;
	readonly checkpointing: boolean;
}
