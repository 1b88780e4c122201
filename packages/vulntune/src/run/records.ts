import type { Config } from '../config/schema.ts';
import type { Evaluation } from '../metrics/evaluation.ts';

/** The lines of metrics.jsonl. They hold nothing that differs between two equal runs. */

/** One optimiser step. */
export interface StepRecord {
	readonly type: 'step';
	readonly step: number;
	readonly epoch: number;
	readonly loss: number;
	readonly gradNorm: number;
	readonly learningRate: number;
	readonly tokens: number;
}

export interface EpochMetrics {
	/** Mean weighted loss. */
	readonly loss: number;
	readonly rocAuc: number | null;
	readonly averagePrecision: number | null;
	/** At `threshold`, which is the best one for these very labels: a figure for choosing, not a result. */
	readonly f1: number | null;
	/** null where validation has one class only: nothing could be chosen. */
	readonly threshold: number | null;
}

/** A line of a fine-tuning while it trains. */
export type TrainingRecord =
	| StepRecord
	| { readonly type: 'epoch'; readonly epoch: number; readonly validation: EpochMetrics };

/** The line of metrics.jsonl at which a finished run goes on. */
export interface ExtensionRecord {
	readonly type: 'extension';
	/** The first epoch that is added, counted from 1. */
	readonly epoch: number;
	/** Epochs of the run from now on. */
	readonly epochs: number;
	/** Optimiser steps before it. */
	readonly step: number;
	/** The schedule that starts again, with its warm-up, over the added steps. */
	readonly schedule: Config['training']['schedule'];
}

export interface TrainingFunctions {
	readonly functions: number;
	/** Left out as longer than a sequence. */
	readonly ignored: number;
	/** Cut to the length of a sequence. */
	readonly truncated: number;
	/** Tokens of all sequences of an epoch; n-grams and runs of the first versions don't count them. */
	readonly tokens?: number;
	/** Tokens that are not in them, because a function begins like another one of its sequence. */
	readonly sharedTokens?: number;
}

/** The last line of metrics.jsonl. */
export interface EndRecord {
	readonly type: 'end';
	readonly bestEpoch: number;
	readonly test: Evaluation;
	/** Test functions that were cut to the length of a sequence before they were scored. */
	readonly truncated: number;
	/** What became of the training functions; runs of the first versions don't have it. */
	readonly training?: TrainingFunctions;
}
