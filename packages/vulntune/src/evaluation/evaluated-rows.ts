import type { TextRow } from '../baselines/ngram/model.ts';
import type { FunctionRow } from '../data/row.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import type { EvaluatedRow } from './compare-with-baselines.ts';

/** Rows of a dataset with a model's probabilities, in the same order; NaN for a function that was not scored. */
export function evaluatedRows(
	rows: readonly FunctionRow[],
	probabilities: ArrayLike<number>,
	isCollapsed: boolean,
): EvaluatedRow[] {
	const texts = textRows(rows, isCollapsed);
	return rows.map((row, index) => ({
		id: row.id,
		label: row.label,
		text: texts[index]!.text,
		probability: Number.isNaN(probabilities[index]!) ? null : probabilities[index]!,
		group: row.commit,
		functionName: row.functionName,
		weakness: weaknessOf(row.cwe),
		status: row.status,
	}));
}

/** The first weakness class of a row; NVD's placeholders for "none given" are none. */
export function weaknessOf(cwe: string | undefined): string | undefined {
	const classes = cwe?.split(',').map((name) => name.trim()) ?? [];
	return classes.find((name) => name !== '' && !/^NVD-CWE-/i.test(name));
}

/** What the baselines read: the same text that the model sees. */
export function textRows(rows: readonly FunctionRow[], isCollapsed: boolean): TextRow[] {
	return rows.map(({ code, label }) => ({ text: isCollapsed ? collapseWhitespace(code) : code, label }));
}
