import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';

/** Faults found so far in a dataset, at most `limit` of them kept with their text. */
export interface FaultList {
	add(place: string, message: string): void;
	/** How many were added, kept or not. */
	readonly count: number;
	/** One error for all of them, each as `train.jsonl:7: …`; undefined where there are none. */
	toError(): VulntuneError | undefined;
}

/**
 * Faults are gathered over all splits, so that one run shows a user everything there is to mend.
 *
 * @param line what a right line looks like
 */
export function createFaultList(
	limit = 20,
	line = '{"code": "...", "target": 0 or 1, "idx": ...}',
): FaultList {
	const kept: { place: string; message: string }[] = [];
	let count = 0;
	return {
		add(place, message) {
			count += 1;
			if (kept.length < limit) kept.push({ place, message });
		},
		get count() {
			return count;
		},
		toError() {
			const [first] = kept;
			if (first === undefined) return undefined;
			const remedy = `Mend or remove these lines; a line is ${line}.`;
			if (count === 1) return inputError('DATASET_INVALID', first.message, { place: first.place, remedy });
			const lines = kept.map(({ place, message }) => `  ${place}: ${message}`);
			if (count > kept.length) lines.push(`  … and ${count - kept.length} more`);
			return inputError('DATASET_INVALID', `${count} faults in the data\n${lines.join('\n')}`, { remedy });
		},
	};
}
