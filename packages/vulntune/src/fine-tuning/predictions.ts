import { writeTextAtomically } from '@vulntune/engine';
import type { FunctionRow } from '../data/row.ts';
import { formatPredictions } from '../evaluation/predictions.ts';

/**
 * Writes `predictions.<split>.jsonl`, in the order of the rows.
 * @param threshold the run's, from its validation split; it stands in every line, so that a copy of the file has it too
 */
export function savePredictions(
	file: string,
	rows: readonly FunctionRow[],
	probabilities: ArrayLike<number>,
	threshold: number | null,
): void {
	const text = formatPredictions(
		rows.map(({ id, label, commit, cwe, functionName, status }, index) => ({
			id,
			label,
			probability: probabilities[index]!,
			commit,
			cwe,
			functionName,
			status,
			threshold: threshold ?? undefined,
		})),
	);
	writeTextAtomically(file, text);
}
