import type { FaultList } from './faults.ts';
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
 */
export function readJsonlRows(bytes: Uint8Array, options: JsonlOptions, faults: FaultList): FunctionRow[] {
	const maxLineBytes = options.maxLineBytes ?? 8 * 2 ** 20;
	const decoder = new TextDecoder('utf-8', { fatal: true });
	const rows: FunctionRow[] = [];
	const lineOfId = new Map<string, number>();
	let line = 0;
	for (let start = 0; start < bytes.length; ) {
		const found = bytes.indexOf(newline, start);
		const end = found === -1 ? bytes.length : found;
		line += 1;
		const row = readLine(bytes.subarray(start, end), line);
		if (row !== undefined) rows.push(row);
		start = end + 1;
	}
	return rows;

	function readLine(content: Uint8Array, number: number): FunctionRow | undefined {
		const place = `${options.name}:${number}`;
		if (content.length > maxLineBytes) {
			faults.add(place, `the line has ${content.length} bytes, at most ${maxLineBytes} are read`);
			return undefined;
		}
		let value: unknown;
		try {
			const text = decoder.decode(content);
			if (text.trim() === '') return undefined;
			value = JSON.parse(text);
		} catch (error) {
			faults.add(
				place,
				error instanceof SyntaxError ? `broken JSON: ${error.message}` : 'the line is not valid UTF-8',
			);
			return undefined;
		}
		const row = readRow(value, number);
		if (!('code' in row)) {
			for (const fault of row) faults.add(place, fault);
			return undefined;
		}
		const key = String(row.id);
		const earlier = lineOfId.get(key);
		if (earlier !== undefined) {
			faults.add(place, `id ${JSON.stringify(row.id)} is already that of line ${earlier}`);
			return undefined;
		}
		lineOfId.set(key, number);
		return row;
	}
}
