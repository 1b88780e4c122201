import type { FunctionRow } from '../data/row.ts';
import type { PairLossKind } from '../objectives/pair-loss-kinds.ts';

export interface LossWeights {
	/**
	 * Focal loss's α: one weight per class [not vulnerable, vulnerable]; a single number is the weight of class 0 and
	 * leaves the rest of 1 to class 1, as in the published reference code.
	 */
	readonly alpha: number | readonly [number, number] | null;
	readonly classWeights: readonly [number, number] | null;
	/** By the status of a row; statuses that aren't named weigh 1. */
	readonly statusWeights: Readonly<Record<string, number>> | null;
	/** What is learnt from a function and its fix together; default null. */
	readonly pair?: PairLossKind | null;
	readonly pairWeight?: number;
}

/** What a row's loss is multiplied with. */
export function lossWeight(row: Pick<FunctionRow, 'label' | 'status'>, weights: LossWeights): number {
	const { alpha, classWeights, statusWeights } = weights;
	const perClass = typeof alpha === 'number' ? [alpha, 1 - alpha] : alpha;
	const status = row.status === undefined ? 1 : (statusWeights?.[row.status] ?? 1);
	return (perClass?.[row.label] ?? 1) * (classWeights?.[row.label] ?? 1) * status;
}
