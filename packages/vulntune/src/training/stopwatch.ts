import type { Backend } from '@vulntune/engine';

/** Memory in a line of timings.jsonl, in bytes. */
export interface MemoryFacts {
	readonly residentBytes: number;
	/** The most that the backend has held of its card. */
	readonly deviceBytes?: number;
	/** What all processes hold of the card. */
	readonly deviceUsedBytes?: number;
}

/** What this process holds, and its backend of a card. */
export function memoryFacts(backend: Pick<Backend, 'memory'>): MemoryFacts {
	const { card, pool } = backend.memory();
	const residentBytes = process.memoryUsage.rss();
	if (card === undefined) return { residentBytes };
	return { residentBytes, deviceBytes: pool?.peakHeldBytes ?? 0, deviceUsedBytes: card.usedBytes };
}

/** A record of metrics.jsonl as far as times are concerned. */
export interface TimedRecord {
	readonly type: string;
	readonly epoch: number;
	readonly step?: number;
	/** Of a record of one optimiser step. */
	readonly tokens?: number;
}

/** Times of a run: what differs between two equal runs and therefore goes into timings.jsonl alone. */
export interface Stopwatch {
	/** Says how many tokens the current group has so far. */
	count(groupTokens: number): void;
	/** While training: what other records than steps took (validation) is not counted. */
	tokensPerSecond(): number;
	/** From the share of the run that is done, and what was done when the watch started. */
	secondsLeft(done: number): number;
	/** One line of timings.jsonl for a record of metrics.jsonl. */
	lap(record: TimedRecord, memory: MemoryFacts): object;
}

/** @param waited seconds that the host has waited for a card so far; undefined where it computes itself */
export function createStopwatch(
	now: () => number = () => performance.now() / 1000,
	waited?: () => number,
): Stopwatch {
	const start = now();
	let lapStart = start;
	let lapWaited = waited?.() ?? 0;
	let tokens = 0;
	let groupTokens = 0;
	let otherSeconds = 0;
	let doneAtStart: number | undefined;
	const total = () => tokens + groupTokens;
	/** Since the line before. */
	const waits = (): { readonly waitSeconds?: number } => {
		if (waited === undefined) return {};
		const before = lapWaited;
		lapWaited = waited();
		return { waitSeconds: lapWaited - before };
	};
	return {
		count(group) {
			groupTokens = group;
		},
		tokensPerSecond: () => total() / Math.max(1e-9, now() - start - otherSeconds),
		secondsLeft(done) {
			doneAtStart ??= done;
			const share = done - doneAtStart;
			return share > 0 ? ((now() - start) * (1 - done)) / share : Number.NaN;
		},
		lap(record, memory) {
			const time = now();
			const seconds = time - lapStart;
			lapStart = time;
			const { type, epoch, step, tokens: stepTokens } = record;
			if (stepTokens === undefined) {
				otherSeconds += seconds;
			} else {
				tokens += stepTokens;
				groupTokens = 0;
			}
			return {
				type,
				...(step === undefined ? {} : { step }),
				epoch,
				seconds,
				...waits(),
				...(stepTokens === undefined ? {} : { tokensPerSecond: stepTokens / seconds }),
				...memory,
				totalSeconds: time - start,
			};
		},
	};
}
