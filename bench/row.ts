import { type Condition, targetOf } from './targets.ts';

/** A figure of the bench, as `--json` prints it. Ratios are to the limit and to the peer of the same run. */
export interface BenchRow {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	/** The most that this machine allows, in the same unit; null where nothing sets one. */
	readonly limit: number | null;
	readonly ofLimit: number | null;
	/** The limit was measured lower than the value: something disturbed it, and the share of it says nothing. */
	readonly limitDisturbed?: true;
	/** The best of the other programs; null with `peerAbsent` where there is none. */
	readonly peer: { readonly name: string; readonly value: number } | null;
	readonly peerAbsent?: string;
	readonly ofPeer: number | null;
	/** In words; null where nothing is asked of the figure. */
	readonly target: string | null;
	/** null where there is no target, or where the peer or the limit that it speaks of isn't known and the rest is met. */
	readonly met: boolean | null;
	/** What a reader must know to compare. */
	readonly note?: string;
}

export interface RowSource {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	readonly limit?: number | undefined;
	readonly peer?: { readonly name: string; readonly value: number } | undefined;
	readonly peerAbsent?: string | undefined;
	readonly note?: string | undefined;
}

/**
 * A row with its ratios, and whether it meets its target. A limit below what was reached was measured while something
 * disturbed it: the machine can do at least what it did. The row says so, and whether it meets a share of it is not known.
 */
export function benchRow(source: RowSource, target = targetOf(source.name)): BenchRow {
	const { name, value, unit, peer, peerAbsent } = source;
	const isDisturbed = source.limit !== undefined && source.limit < value;
	const limit = isDisturbed ? value : source.limit;
	const disturbed = isDisturbed ? [`the limit was measured lower, at ${source.limit!.toFixed(1)}`] : [];
	const note = [...(source.note === undefined ? [] : [source.note]), ...disturbed].join('; ');
	const ratios = {
		value,
		limit: limit === undefined ? undefined : value / limit,
		peer: peer === undefined ? undefined : value / peer.value,
	};
	const outcomes = target.map((condition) =>
		isDisturbed && condition.of === 'limit' ? null : outcome(condition, ratios[condition.of]),
	);
	return {
		name,
		value,
		unit,
		limit: limit ?? null,
		ofLimit: ratios.limit ?? null,
		...(isDisturbed ? { limitDisturbed: true as const } : {}),
		peer: peer ?? null,
		...(peer === undefined && peerAbsent !== undefined ? { peerAbsent } : {}),
		ofPeer: ratios.peer ?? null,
		target: target.length === 0 ? null : target.map((condition) => inWords(condition, unit)).join(', '),
		met: target.length === 0 ? null : together(outcomes),
		...(note === '' ? {} : { note }),
	};
}

function outcome(condition: Condition, value: number | undefined): boolean | null {
	if (value === undefined) return null;
	return value >= (condition.atLeast ?? -Infinity) && value <= (condition.atMost ?? Infinity);
}

/** False if one is false, else null if one can't be told. */
function together(outcomes: readonly (boolean | null)[]): boolean | null {
	if (outcomes.includes(false)) return false;
	return outcomes.includes(null) ? null : true;
}

function inWords(condition: Condition, unit: string): string {
	const bound = condition.atLeast === undefined ? `<= ${condition.atMost}` : `>= ${condition.atLeast}`;
	return condition.of === 'value' ? `${bound} ${unit}` : `${bound} of ${condition.of}`;
}
