import type { Followed } from '../communication/together.ts';
import type { Comparison } from '../evaluation/compare-with-baselines.ts';
import type { EndRecord, TrainingRecord } from '../run/records.ts';
import type { Signals } from '../run/run-thread.ts';

/** What a run tells the process that shows it. Plain data: it crosses threads. */
export type TrainingEvent =
	| { readonly type: 'note'; readonly line: string }
	| {
			readonly type: 'training';
			readonly epoch: number;
			readonly epochs: number;
			readonly pack: number;
			readonly packs: number;
			readonly step: number;
			readonly steps: number;
			/** While training; validation is not in it. */
			readonly tokensPerSecond: number;
			/** Of the whole run, validations included; NaN as long as nothing was measured. */
			readonly secondsLeft: number;
			readonly residentBytes: number;
			/** The most that has been held of the card; absent where none computes. */
			readonly deviceBytes?: number;
			readonly loss: number | null;
	  }
	| { readonly type: 'scoring'; readonly split: string; readonly done: number; readonly total: number }
	| { readonly type: 'record'; readonly record: TrainingRecord };

export interface RunSummary {
	readonly output: string;
	readonly record: EndRecord;
	/** The model beside the trivial baselines. */
	readonly comparison: Comparison;
}

export interface RunMode {
	readonly resume: boolean;
	readonly overwrite: boolean;
	/** Go on, or start from an adapter, with another base than it was made on; default false. */
	readonly allowOtherBase?: boolean;
	/** When it began by this thread's clock, in milliseconds; default when the thread did. */
	readonly began?: number;
}

export type RunOutcome =
	| { readonly status: 'finished'; readonly summary: RunSummary }
	| { readonly status: 'alreadyFinished'; readonly output: string }
	| {
			readonly status: 'interrupted';
			readonly output: string;
			/** Where nothing could be kept of what was done. */
			readonly startsAnew?: true;
	  }
	/** The first of several processes has the outcome. */
	| Followed;

export type RunSignals = Signals<TrainingEvent>;
