import { matchesPattern } from './options.ts';

export interface Condition {
	readonly of: 'value' | 'limit' | 'peer';
	/** A ratio, or a value in the row's unit. */
	readonly atLeast?: number;
	readonly atMost?: number;
}

/** The rows that a report begins with, in this order; all others follow in the order in which they are measured. */
export const FIRST_ROWS: readonly string[] = [
	'lora-step-135m-bf16-t512',
	'lora-step-135m-bf16-t1024',
	'qlora-step-135m-nf4-t512',
	'forward-135m-bf16',
	'forward-135m-int8',
	'peak-rss-qlora-135m',
	'start-to-first-step-135m',
	'outside-kernels-share',
	'lora-step-135m-int8-t1024',
	'epoch-x1-shared-prefixes',
];

const ofLimit = (atLeast: number): Condition => ({ of: 'limit', atLeast });
const ofPeer = (atLeast: number): Condition => ({ of: 'peer', atLeast });
const atMost = (value: number): Condition => ({ of: 'value', atMost: value });
const atLeast = (value: number): Condition => ({ of: 'value', atLeast: value });

/** What is asked of the rows: the first pattern that is a row's whole name counts. */
const targets: readonly (readonly [pattern: string, conditions: readonly Condition[]])[] = [
	['lora-step-135m-bf16-t*', [ofLimit(0.7), ofPeer(2)]],
	['lora-step-135m-int8-t1024', [ofPeer(3)]],
	['qlora-step-135m-nf4-t512', [ofPeer(3)]],
	['qlora-of-lora-135m-t512', [atLeast(0.95)]],
	['peak-rss-qlora-135m', [{ of: 'peer', atMost: 0.35 }]],
	['qlora-step-1.5b-nf4-t1024', [ofPeer(2)]],
	// 2.5 GB in MiB
	['peak-rss-qlora-1.5b', [atMost(2384)]],
	['forward-135m-bf16', [ofLimit(0.8), ofPeer(1.2)]],
	['forward-135m-bf16-packed', [ofLimit(0.8)]],
	['forward-135m-bf16-mixed', [ofPeer(2)]],
	['forward-135m-bf16-llama.cpp', [ofPeer(1.6)]],
	['forward-135m-int8', [ofPeer(2)]],
	['start-to-first-step-135m*', [atMost(2)]],
	['outside-kernels-share', [atMost(0.03)]],
	['preparation-share-of-epoch-x1', [atMost(0.02)]],
	['cost-per-token-*', [atMost(1.1)]],
	['epoch-x1-shared-prefixes', [atMost(0.85)]],
	['gemm-*-m*-wasm', [ofPeer(0.5)]],
	['gemm-*-int8-*', []],
	['gemm-*-f32-*', [ofLimit(0.75)]],
	['gemm-*-m*-avx512', [ofLimit(0.75)]],
	['gemm-*-m*-avx2', [ofLimit(0.75)]],
	['gemm-*-m*-generic', [ofLimit(0.75)]],
	['gemm-*-m128', [ofLimit(0.7)]],
	['gemm-*', [ofLimit(0.8)]],
];

/** What is asked of a row; nothing of most. */
export function targetOf(name: string): readonly Condition[] {
	return targets.find(([pattern]) => matchesPattern(name, pattern))?.[1] ?? [];
}

/** The rows in the order of a report. */
export function inReportOrder<Row extends { readonly name: string }>(rows: readonly Row[]): Row[] {
	const rank = ({ name }: Row) => {
		const index = FIRST_ROWS.indexOf(name);
		return index === -1 ? FIRST_ROWS.length : index;
	};
	return rows.toSorted((a, b) => rank(a) - rank(b));
}
