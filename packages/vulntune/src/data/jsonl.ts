import type { FaultList } from './faults.ts';
import { parseJson } from './parse-json.ts';
import { type FunctionRow, readRow } from './row.ts';

export interface JsonlOptions {
	/** Name shown in errors: `train.jsonl`. */
	readonly name: string;
	/** A longer line is a fault: no function is that long, and JSON.parse would hold it several times. */
	readonly maxLineBytes?: number;
}

const newline = 0x0a;

/**
 * The rows of one JSONL file. Every fault goes to `faults` as `name:line`; rows that have one are left out, and
 * lines of white space alone are skipped.
 *
 * @param lines gets the text of each row's line, with all that a row does not keep
 */
export function readJsonlRows(
	bytes: Uint8Array,
	options: JsonlOptions,
	faults: FaultList,
	lines?: string[],
): FunctionRow[] {
	const rows: FunctionRow[] = [];
	const lineOfId = new Map<string, number>();
	readJsonLines(bytes, options, faults, (value, line, place, text) => {
		const row = readRow(value, line);
		if (!('code' in row)) {
			for (const fault of row) faults.add(place, fault);
			return;
		}
		const key = String(row.id);
		const earlier = lineOfId.get(key);
		if (earlier !== undefined) {
			faults.add(place, `id ${JSON.stringify(row.id)} is already that of line ${earlier}`);
			return;
		}
		lineOfId.set(key, line);
		rows.push(row);
		lines?.push(text);
	});
	return rows;
}

/** Gives the JSON value of every line to `read`, with its number, place and text; what is no JSON goes to `faults`. */
export function readJsonLines(
	bytes: Uint8Array,
	options: JsonlOptions,
	faults: FaultList,
	read: (value: unknown, line: number, place: string, text: string) => void,
): void {
	const maxLineBytes = options.maxLineBytes ?? 8 * 2 ** 20;
	const decoder = new TextDecoder('utf-8', { fatal: true });
	let line = 0;
	for (let start = 0; start < bytes.length; ) {
		const found = bytes.indexOf(newline, start);
		const end = found === -1 ? bytes.length : found;
		line += 1;
		readLine(bytes.subarray(start, end), line);
		start = end + 1;
	}

	function readLine(content: Uint8Array, number: number): void {
		const place = `${options.name}:${number}`;
		if (content.length > maxLineBytes) {
			faults.add(place, `the line has ${content.length} bytes, at most ${maxLineBytes} are read`);
			return;
		}
		let value: unknown;
		let text: string;
		try {
			text = decoder.decode(content);
			if (text.trim() === '') return;
			value = parseJson(text);
		} catch (error) {
			faults.add(
				place,
				error instanceof SyntaxError ? `broken JSON: ${error.message}` : 'the line is not valid UTF-8',
			);
			return;
		}
		read(value, number, place, text);
	}
}
