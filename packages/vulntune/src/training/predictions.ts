import { writeFileAtomically } from '@vulntune/engine';
import type { FunctionRow } from '../data/row.ts';

/** Writes `predictions.<split>.jsonl`: one `{"id", "label", "probability"}` a line, in the order of the rows. */
export function savePredictions(
	file: string,
	rows: readonly FunctionRow[],
	probabilities: ArrayLike<number>,
): void {
	const lines = rows.map(({ id, label }, index) =>
		JSON.stringify({ id, label, probability: probabilities[index]! }),
	);
	writeFileAtomically(file, (append) => append(new TextEncoder().encode(`${lines.join('\n')}\n`)));
}
