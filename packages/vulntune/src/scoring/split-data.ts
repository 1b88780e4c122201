import { pairRows } from '../data/pair-rows.ts';
import type { FunctionRow } from '../data/row.ts';
import type { PackLabels } from '../objectives/objective.ts';
import type { PackPairs } from '../objectives/pair-loss.ts';
import type { PairLossKind } from '../objectives/pair-loss-kinds.ts';
import { joinPacks } from '../packing/join-packs.ts';
import type { PackingOptions, Piece } from '../packing/options.ts';
import { buildPack, type Pack, withStackedScores } from '../packing/pack.ts';
import { type LossWeights, lossWeight } from './loss-weights.ts';

/** Functions as a detector reads them. */
export interface ReadFunctions {
	/** Ids per function. */
	readonly tokens: readonly Int32Array[];
	/** [functions] another detector's scores, where a stacked head sees them. */
	readonly stackedScores?: Float32Array | undefined;
}

/** A split, ready to be packed. */
export interface SplitData extends ReadFunctions {
	readonly rows: readonly FunctionRow[];
	readonly lengths: Int32Array;
	/** Weight of each row's loss. */
	readonly weights: Float32Array;
	/** The vulnerable functions and their fixes, where training learns from them together. */
	readonly pairs?: SplitPairs;
}

export interface SplitPairs extends Pick<PackPairs, 'kind' | 'weight'> {
	/** Rows that are to lie in one sequence. */
	readonly rows: readonly (readonly [vulnerable: number, fixed: number])[];
	/** [rows] the other one of each row's pair; −1 for none. */
	readonly partnerOf: Int32Array;
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
		...(weights.pair == null ? {} : { pairs: splitPairs(rows, weights.pair, weights.pairWeight ?? 1) }),
	};
}

function splitPairs(rows: readonly FunctionRow[], kind: PairLossKind, weight: number): SplitPairs {
	const pairs = pairRows(
		rows.map(({ label, commit, functionName }) => ({ label, group: commit, functionName })),
	);
	const partnerOf = new Int32Array(rows.length).fill(-1);
	for (const [vulnerable, fixed] of pairs) {
		partnerOf[vulnerable] = fixed;
		partnerOf[fixed] = vulnerable;
	}
	return { kind, weight, rows: pairs, partnerOf };
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

/** A pack with its labels and weights. */
export interface LabelledPack {
	readonly pack: Pack;
	readonly targets: PackLabels;
}

/** A planned pack with its labels and weights. */
export function assemblePack(
	data: SplitData,
	pieces: readonly Piece[],
	packing: PackingOptions['packing'],
	tokens: PackTokens,
): LabelledPack {
	return assemblePacks(data, [pieces], packing, tokens);
}

/** Planned packs with their labels and weights, as one that goes through a model at once. */
export function assemblePacks(
	data: SplitData,
	packs: readonly (readonly Piece[])[],
	packing: PackingOptions['packing'],
	tokens: PackTokens,
): LabelledPack {
	const built = packs.map((pieces) =>
		withStackedScores(buildPack(pieces, data.tokens, tokens.separator, packing, tokens), data.stackedScores),
	);
	const pack = joinPacks(built);
	const targets = labelsOf(data, pack);
	return {
		pack,
		targets: data.pairs === undefined ? targets : { ...targets, pairs: packPairs(data.pairs, built) },
	};
}

/** A function's partner is looked for in its own pack alone, and named by its place among the functions of all. */
function packPairs({ kind, weight, partnerOf }: SplitPairs, packs: readonly Pack[]): PackPairs {
	let before = 0;
	const partners = packs.flatMap(({ functionIndex }) => {
		const placeOf = new Map(Array.from(functionIndex, (row, place) => [row, place]));
		const first = before;
		before += functionIndex.length;
		return Array.from(functionIndex, (row, place) => first + (placeOf.get(partnerOf[row]!) ?? place));
	}); // [F]
	return { kind, weight, partners: Int32Array.from(partners) };
}

/** What the functions of a pack are to be taken for. */
export function labelsOf(data: SplitData, { functionIndex }: Pack): PackLabels {
	return {
		labels: Int32Array.from(functionIndex, (index) => data.rows[index]!.label),
		weights: Float32Array.from(functionIndex, (index) => data.weights[index]!),
	};
}
