import type { ConfusionCounts } from './threshold-metrics.ts';

/**
 * One metric in JSON: its value with a 95 % interval; a value whose interval is undefined, with the reason; or
 * null with the reason why there is no value.
 */
export type Metric =
	| { readonly value: number; readonly low: number; readonly high: number }
	| { readonly value: number; readonly low: null; readonly high: null; readonly reason: string }
	| { readonly value: null; readonly reason: string };

/** All metrics of one set of scores, as printed with `--json`. The names are stable. */
export interface Evaluation {
	readonly counts: {
		/** Functions that were scored. */
		readonly functions: number;
		readonly positives: number;
		readonly negatives: number;
		/** Units of the bootstrap: fix commits, or what else is resampled together. */
		readonly groups: number;
	};
	/** Positive means probability >= threshold. It comes from validation, never from these labels. */
	readonly threshold: { readonly value: number } | { readonly value: null; readonly reason: string };
	readonly confusion: ConfusionCounts | null;
	/** Area under the ROC curve; DeLong interval clipped to [0, 1]. */
	readonly rocAuc: Metric;
	readonly averagePrecision: Metric;
	/** F1 and recall of the vulnerable class at the threshold, 0 where no function is called vulnerable. */
	readonly f1: Metric;
	/** null where no function is called vulnerable. */
	readonly precision: Metric;
	readonly recall: Metric;
	/** Mean F1 of both classes. */
	readonly macroF1: Metric;
	/** Matthews correlation coefficient; null where all functions get the same answer. */
	readonly mcc: Metric;
	readonly accuracy: Metric;
	readonly brier: Metric;
	/** Expected calibration error in 15 bins of the probability. */
	readonly ece: Metric;
	/** The same in 15 bins of the confidence max(p, 1 - p), against accuracy. */
	readonly eceConfidence: Metric;
	/** Recall at a false-positive rate of at most the key (`"0.005"`). */
	readonly recallAtFalsePositiveRate: Readonly<Record<string, Metric>>;
	/** PrimeVul's VD-S: smallest false-negative rate at a false-positive rate of at most 0.5 %. */
	readonly vdS: Metric;
	/** The F1 that a threshold picked on these very labels reaches: an upper bound, not a result. */
	readonly f1_oracle: Metric & { readonly threshold: number | null };
	/** Shares of pairs of a vulnerable function and its fix; null where no pairs are known. */
	readonly pairs: {
		readonly count: number;
		/** P-C */
		readonly correct: Metric;
		/** P-V */
		readonly bothVulnerable: Metric;
		/** P-B */
		readonly bothBenign: Metric;
		/** P-R */
		readonly reversed: Metric;
		/** P-C minus P-R: 0 for a coin flip, and where both functions of every pair get one answer. */
		readonly correctMinusReversed: Metric;
		/** Share of pairs in which the vulnerable function scores higher, a tie counting half. */
		readonly ranking: Metric;
	} | null;
	/** Recall at the threshold per weakness, the most frequent first; null where no weaknesses are known. */
	readonly recallByWeakness:
		| readonly { readonly weakness: string; readonly positives: number; readonly recall: Metric }[]
		| null;
	/**
	 * ROC AUC of the vulnerable functions against the others of one status alone, as of their own fixes (P2) and of functions that no fix
	 * touched (P3), by falling number; null where the others are of one status or of none.
	 */
	readonly rocAucByStatus:
		| readonly { readonly status: string; readonly negatives: number; readonly rocAuc: Metric }[]
		| null;
	readonly bootstrap: { readonly resamples: number; readonly seed: number };
}
