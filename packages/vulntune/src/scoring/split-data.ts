import type { FunctionRow } from '../data/row.ts';
import type { PackLabels } from '../objectives/objective.ts';
import type { PackingOptions, Piece } from '../packing/options.ts';
import { buildPack, type Pack } from '../packing/pack.ts';
import { type LossWeights, lossWeight } from './loss-weights.ts';

/** A split, ready to be packed. */
export interface SplitData {
	readonly rows: readonly FunctionRow[];
	/** Ids per row. */
	readonly tokens: readonly Int32Array[];
	readonly lengths: Int32Array;
	/** Weight of each row's loss. */
	readonly weights: Float32Array;
}

export function splitData(
	rows: readonly FunctionRow[],
	tokens: readonly Int32Array[],
	weights: LossWeights,
): SplitData {
	return {
		rows,
		tokens,
		lengths: Int32Array.from(tokens, (ids) => ids.length),
		weights: Float32Array.from(rows, (row) => lossWeight(row, weights)),
	};
}

/** How a planned pack becomes tokens: what closes a function, and what is asked after it. */
export interface PackTokens {
	/** Ids before a function: what an encoder's texts begin with. */
	readonly leading: readonly number[];
	readonly separator: number;
	/** Ids between a function and its separator: the question of the next-token objective. */
	readonly suffix: readonly number[];
	/** Ids behind the suffix, each of which sees that and itself alone: its answers of several tokens. */
	readonly branches?: readonly (readonly number[])[];
}

/** Tokens behind the suffix. */
export function branchTokens({ branches = [] }: PackTokens): number {
	return branches.reduce((sum, branch) => sum + branch.length, 0);
}

/** A planned pack with its labels and weights. */
export function assemblePack(
	data: SplitData,
	pieces: readonly Piece[],
	packing: PackingOptions['packing'],
	tokens: PackTokens,
): { pack: Pack; targets: PackLabels } {
	const pack = buildPack(pieces, data.tokens, tokens.separator, packing, tokens);
	return { pack, targets: labelsOf(data, pack) };
}

/** What the functions of a pack are to be taken for. */
export function labelsOf(data: SplitData, { functionIndex }: Pack): PackLabels {
	return {
		labels: Int32Array.from(functionIndex, (index) => data.rows[index]!.label),
		weights: Float32Array.from(functionIndex, (index) => data.weights[index]!),
	};
}
