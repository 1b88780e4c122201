import { median } from '../interleave.ts';
import type { BenchRow } from '../row.ts';
import { targetOf } from '../targets.ts';

/** A bar on a scale from 0 to the limit. */
export interface Bar {
	readonly label: string;
	/** What stands behind the bar. */
	readonly text: string;
	/** null where the limit of every row was disturbed: there is no bar then. */
	readonly share: number | null;
	/** Of several rows in one bar: the lowest and the highest. */
	readonly range?: readonly [number, number];
	/** What the target asks for, and what the best peer reaches, on the same scale. */
	readonly target?: number;
	readonly peer?: number;
}

/** Rows with a limit: whole steps one by one, products as the median of their sizes and directions. */
export function limitBars(rows: readonly BenchRow[]): Bar[] {
	const limited = rows.filter((row) => row.ofLimit !== null);
	const steps = limited.filter(({ unit }) => unit === 'tokens/s').map(stepBar);
	const groups = Map.groupBy(
		limited.filter(({ name }) => name.startsWith('gemm-')),
		({ name }) => productGroup(name),
	);
	return [...steps, ...[...groups].map(([label, members]) => groupBar(label, members))];
}

function stepBar({ name, value, ofLimit, limit, limitDisturbed, peer }: BenchRow): Bar {
	const text = `${value.toFixed(0)} tokens/s`;
	if (limitDisturbed) return { label: name, text: `limit disturbed · ${text}`, share: null };
	return {
		label: name,
		text: `${ofLimit!.toFixed(2)} · ${text}`,
		share: ofLimit!,
		...targetShare(name),
		...(peer === null ? {} : { peer: peer.value / limit! }),
	};
}

function groupBar(label: string, rows: readonly BenchRow[]): Bar {
	const rate = `${median(rows.map(({ value }) => value)).toFixed(0)} GFLOP/s`;
	const shares = rows.filter((row) => !row.limitDisturbed).map(({ ofLimit }) => ofLimit!);
	if (shares.length === 0) return { label, text: `limit disturbed · ${rate}`, share: null };
	const disturbed = rows.length - shares.length;
	const without = disturbed === 0 ? '' : ` · without ${disturbed} of ${rows.length}, disturbed`;
	return {
		label,
		text: `${median(shares).toFixed(2)} · ${rate}${without}`,
		share: median(shares),
		range: [Math.min(...shares), Math.max(...shares)],
		...targetShare(rows[0]!.name),
	};
}

function targetShare(name: string): { readonly target?: number } {
	const atLeast = targetOf(name).find((condition) => condition.of === 'limit')?.atLeast;
	return atLeast === undefined ? {} : { target: atLeast };
}

/** `gemm-135m-nf4-forward-576x576-m512` belongs to `gemm 135m nf4 m512`. */
function productGroup(name: string): string {
	return name.replace(/-(forward|backward)-\d+x\d+/, '').replaceAll('-', ' ');
}
