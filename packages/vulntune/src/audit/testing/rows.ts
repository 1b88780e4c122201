import type { FunctionRow } from '../../data/row.ts';

/** Functions of which any two have little in common. */
export function distinctCode(number: number): string {
	return `void f${number}() { ${Array.from({ length: 12 }, (_, i) => `call${number}_${i}();`).join(' ')} }`;
}

/** A row with a text of its own, save what is said. */
export function row(id: number, fields: Partial<FunctionRow> = {}): FunctionRow {
	return { id, code: distinctCode(id), label: (id % 2) as 0 | 1, ...fields };
}
