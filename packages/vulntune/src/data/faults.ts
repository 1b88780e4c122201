import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';

/** Faults found so far in a dataset. */
export interface FaultList {
	add(place: string, message: string): void;
	/** How many were added, kept or not. */
	readonly count: number;
	/** What was found, for those who go on without these rows. */
	leftOut(): LeftOut;
	/** One error for all of them, each as `train.jsonl:7: …`; undefined where there are none. */
	toError(): VulntuneError | undefined;
}

/** Rows that were left out of a dataset, and why. */
export interface LeftOut {
	readonly rows: number;
	/** Of the first thousand. */
	readonly faults: readonly { readonly place: string; readonly message: string }[];
	/** Rows of a split that later splits nearly have, where `data.dropNearDuplicates` left them out. */
	readonly nearDuplicates?: { readonly train: number; readonly valid: number };
	/** Training rows that `data.sample` did not draw. */
	readonly notSampled?: number;
}

const rowRemedy =
	'Mend or remove these lines; a line is {"code": "...", "target": 0 or 1, "idx": ...}. What a config trains on may leave them out (data.onBadRow: skip), and so do dataset inspect and audit with --on-bad-row skip.';

const keptFaults = 1000;
const shownFaults = 20;

/**
 * Faults are gathered over all splits, so that one run shows a user everything there is to mend.
 *
 * @param remedy what to do about them
 */
export function createFaultList(remedy = rowRemedy): FaultList {
	const kept: { place: string; message: string }[] = [];
	let count = 0;
	let rows = 0;
	let last: string | undefined;
	return {
		add(place, message) {
			count += 1;
			// the faults of a row come one after the other
			if (place !== last) rows += 1;
			last = place;
			if (kept.length < keptFaults) kept.push({ place, message });
		},
		get count() {
			return count;
		},
		leftOut: () => ({ rows, faults: [...kept] }),
		toError() {
			const [first] = kept;
			if (first === undefined) return undefined;
			if (count === 1) return inputError('DATASET_INVALID', first.message, { place: first.place, remedy });
			const shown = kept.slice(0, shownFaults);
			const lines = shown.map(({ place, message }) => `  ${place}: ${message}`);
			if (count > shown.length) lines.push(`  … and ${count - shown.length} more`);
			return inputError('DATASET_INVALID', `${count} faults in the data\n${lines.join('\n')}`, { remedy });
		},
	};
}
