import { collapseWhitespace } from './whitespace.ts';

/** One labelled function: a row of `train.jsonl`, `valid.jsonl` or `test.jsonl`. */
export interface FunctionRow {
	/** The row's `id` or `idx`, else its line number (from 1). Unique within a split. */
	readonly id: string | number;
	/** Source text as in the file, white space included. */
	readonly code: string;
	/** 1 is vulnerable, 0 is not. */
	readonly label: 0 | 1;
	/** `VULNERABLE` (P1), `FIXED` (P2) or `NOT_VULNERABLE` (P3) in X1. */
	readonly status?: string;
	/** The fix commit the row comes from: rows of one commit are not independent of each other. */
	readonly commit?: string;
	/** Weakness classes, several joined by a comma. */
	readonly cwe?: string;
	readonly repo?: string;
	readonly path?: string;
	readonly functionName?: string;
	/** When the commit was made, as text: for splits by time and the audit's overlap. */
	readonly date?: string;
	/** Generated, not written by anybody: results on it say so. */
	readonly synthetic?: boolean;
}

/** Field names that other datasets use for the same thing; the first that a row has counts. */
const aliases = {
	id: ['id', 'idx'],
	code: ['code', 'func'],
	label: ['target', 'label'],
	status: ['status'],
	commit: ['commit', 'commit_id'],
	cwe: ['cwe'],
	repo: ['repo', 'project'],
	path: ['path'],
	functionName: ['function_name', 'functionName'],
	date: ['date'],
} as const;

const textFields = ['status', 'commit', 'cwe', 'repo', 'path', 'functionName', 'date'] as const;

/**
 * A row from one parsed line.
 *
 * @param value what the line's JSON holds
 * @param line its number, from 1: the id where the row has none
 * @returns the row, or what is wrong with it, one sentence per fault
 */
export function readRow(value: unknown, line: number): FunctionRow | readonly string[] {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		return [`expected an object with code and target, found ${describe(value)}`];
	}
	const faults: string[] = [];
	const fields = value as Record<string, unknown>;
	const id = readId(fields, line, faults);
	const code = readCode(fields, faults);
	const label = readLabel(fields, faults);
	const texts: Partial<Record<(typeof textFields)[number], string>> = {};
	for (const name of textFields) {
		const text = readText(fields, name, faults);
		if (text !== undefined) texts[name] = text;
	}
	const synthetic = fields.synthetic === true ? { synthetic: true } : {};
	return faults.length > 0 ? faults : { id, code, label, ...texts, ...synthetic };
}

function field(
	fields: Record<string, unknown>,
	name: keyof typeof aliases,
	isAbsent = (value: unknown): boolean => value === null || value === undefined,
): [string, unknown] {
	const present = aliases[name].find((alias) => Object.hasOwn(fields, alias) && !isAbsent(fields[alias]));
	return present === undefined ? [aliases[name][0], undefined] : [present, fields[present]];
}

function readId(fields: Record<string, unknown>, line: number, faults: string[]): string | number {
	const [name, value] = field(fields, 'id');
	if (value === undefined) return line;
	if (Number.isFinite(value) || (typeof value === 'string' && value !== '')) return value as string | number;
	faults.push(`${name}: expected a number or a text, found ${describe(value)}`);
	return line;
}

/** The source text of a row; what is wrong with it goes to `faults`. */
export function readCode(fields: Record<string, unknown>, faults: string[]): string {
	const [name, value] = field(fields, 'code');
	if (value === undefined) faults.push('missing field code (or func): the source text of the function');
	else if (typeof value !== 'string') faults.push(`${name}: expected a text, found ${describe(value)}`);
	else if (collapseWhitespace(value) === '') faults.push(`${name}: the function is empty`);
	else {
		// A lone surrogate (possible through \ud800 in JSON) has no UTF-8 form, so no tokenizer could agree on it.
		return value.toWellFormed();
	}
	return '';
}

function readLabel(fields: Record<string, unknown>, faults: string[]): 0 | 1 {
	const [name, value] = field(fields, 'label');
	if (value === 0 || value === 1) return value;
	if (value === undefined) faults.push('missing field target (or label): 1 for vulnerable, 0 for not');
	else faults.push(`${name}: expected 0 or 1, found ${describe(value)}`);
	return 0;
}

function readText(
	fields: Record<string, unknown>,
	name: (typeof textFields)[number],
	faults: string[],
): string | undefined {
	const [alias, value] = field(fields, name, saysNothing);
	if (value === undefined) return undefined;
	if (typeof value === 'string') return value;
	if (typeof value === 'number') return String(value);
	if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value.join(',');
	faults.push(`${alias}: expected a text, found ${describe(value)}`);
	return undefined;
}

/** Tables have empty cells where nothing is known: all rows without a commit are not of one commit. */
export function saysNothing(value: unknown): boolean {
	if (Array.isArray(value)) return value.every(saysNothing);
	return value === null || value === undefined || (typeof value === 'string' && value.trim() === '');
}

function describe(value: unknown): string {
	if (value === null) return 'null';
	if (Array.isArray(value)) return 'a list';
	if (typeof value === 'object') return 'an object';
	const text = JSON.stringify(value);
	return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
