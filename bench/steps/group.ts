import { type BenchRow, benchRow } from '../row.ts';
import { forwardOperationsPerToken, smolLm135m } from '../shapes.ts';
import type { StepResult } from './child.ts';
import type { OwnStep } from './own.ts';

/** A setting of another program that is measured beside ours. */
export type PeerStep = {
	readonly name: string;
	/** It computes in bf16: without instructions for that it emulates them, and is run only where it is named. */
	readonly needsBf16: boolean;
} & {
	readonly script: 'llama.py';
	/** What the script's own comment says of its settings. */
	readonly settings: {
		readonly task: 'lora' | 'forward';
		readonly base: 'fp32' | 'bf16' | 'nf4-fp32' | 'nf4-bf16';
		readonly compiled: boolean;
		readonly batch: number;
		readonly length: number;
	};
};

/** What a group's steps gave. */
export interface StepFigures {
	/** Median tokens per second of a step of ours, by its key. */
	speed(key: string): number;
	results(key: string): readonly StepResult[];
	/** What a step process of ours says of itself. */
	description(key: string): unknown;
	readonly peers: readonly { readonly name: string; readonly speed: number; readonly peakBytes: number }[];
	/** Why `peers` is empty. */
	readonly peerAbsent: string | undefined;
	/** Why a peer that one would expect is not among them. */
	readonly peerNote: string | undefined;
	/** Peak of the arithmetic that bf16 computes in: operations per second, the median of the same rounds. */
	readonly peak: number;
}

/** Steps that are measured in turn, and the rows that come of them. */
export interface StepGroup {
	readonly rowNames: readonly string[];
	readonly optional?: boolean;
	/** Fewer than asked for, where a step takes long. */
	readonly maxRounds?: number;
	readonly own: Readonly<Record<string, StepSettings>>;
	readonly peers: readonly PeerStep[];
	rows(figures: StepFigures): BenchRow[];
}

export type StepSettings = Omit<OwnStep, 'isa' | 'threads' | 'model' | 'dataset'>;

const forward = forwardOperationsPerToken(smolLm135m);
/** Forward, and the gradient of every input; the frozen weights need none. */
const OPERATIONS = { forward, lora: 2 * forward };

/** Tokens per second against the limit and the fastest peer. */
export function speedRow(
	name: string,
	task: keyof typeof OPERATIONS,
	figures: StepFigures,
	operations = OPERATIONS[task],
): BenchRow {
	const peer = figures.peers.toSorted((a, b) => b.speed - a.speed)[0];
	return benchRow({
		name,
		value: figures.speed(name),
		unit: 'tokens/s',
		limit: figures.peak / operations,
		peer: peer && { name: peer.name, value: peer.speed },
		peerAbsent: figures.peerAbsent,
		note: peer && figures.peerNote,
	});
}
