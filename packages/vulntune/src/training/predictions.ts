import { writeFileAtomically } from '@vulntune/engine';
import type { FunctionRow } from '../data/row.ts';
import { formatPredictions } from '../evaluation/predictions.ts';

/** Writes `predictions.<split>.jsonl`, in the order of the rows. */
export function savePredictions(
	file: string,
	rows: readonly FunctionRow[],
	probabilities: ArrayLike<number>,
): void {
	const text = formatPredictions(
		rows.map(({ id, label, commit, cwe, functionName }, index) => ({
			id,
			label,
			probability: probabilities[index]!,
			commit,
			cwe,
			functionName,
		})),
	);
	writeFileAtomically(file, (append) => append(new TextEncoder().encode(text)));
}
