import { median } from '../interleave.ts';
import type { BenchReport } from '../report.ts';
import type { BenchRow } from '../row.ts';
import { targetOf } from '../targets.ts';

/** A bar on a scale from 0 to the limit. */
export interface Bar {
	readonly label: string;
	/** What stands behind the bar. */
	readonly text: string;
	readonly share: number;
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

function stepBar(row: BenchRow): Bar {
	const { name, value, ofLimit, limit, peer } = row;
	return {
		label: name,
		text: `${value.toFixed(0)} tokens/s`,
		share: ofLimit!,
		...targetShare(name),
		...(peer === null ? {} : { peer: peer.value / limit! }),
	};
}

function groupBar(label: string, rows: readonly BenchRow[]): Bar {
	const shares = rows.map(({ ofLimit }) => ofLimit!);
	const rate = median(rows.map(({ value }) => value));
	return {
		label,
		text: `${rate.toFixed(0)} GFLOP/s`,
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

/** A step's time in parts. */
export interface PartedStep {
	readonly name: string;
	readonly parts: readonly { readonly name: string; readonly share: number }[];
	/** Share of the time that its products would take at the peak. */
	readonly floor: number | undefined;
}

const partOf: Readonly<Record<string, string>> = {
	matmulNT: 'frozen products, forward',
	matmulNN: 'frozen products, backward',
	loraForward: 'adapters',
	loraBackward: 'adapters',
	attention: 'attention',
	attentionBackward: 'attention',
};
export const partNames = [...new Set(Object.values(partOf)), 'other kernels', 'outside kernels'];

/** Where the time of the training steps goes, the floor beside it. */
export function partedSteps({ steps, rows }: BenchReport): PartedStep[] {
	return steps
		.filter(({ name }) => name.includes('lora-step'))
		.map(({ name, kernels, outside }) => {
			const shares = new Map(partNames.map((part) => [part, 0]));
			const add = (part: string, share: number) => shares.set(part, shares.get(part)! + share);
			for (const [kernel, share] of Object.entries(kernels)) add(partOf[kernel] ?? 'other kernels', share);
			add('outside kernels', outside);
			return {
				name,
				parts: [...shares].map(([part, share]) => ({ name: part, share })),
				floor: rows.find((row) => row.name === name)?.ofLimit ?? undefined,
			};
		});
}
