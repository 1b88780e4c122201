import { expect, it } from 'vitest';
import type { FunctionRow } from './row.ts';
import { describeData, summarizeData } from './summary.ts';

const rows = [1, 0, 0].map((label, id): FunctionRow => ({ id, code: 'f', label: label as 0 | 1 }));
const leftOut = { rows: 2, faults: [{ place: 'train.jsonl:7', message: 'code: the function is empty' }] };

it('says in a line per split what it holds, and what was left out', () => {
	const splits = { train: { rows, lengths: [3, 10, 20] }, valid: { rows }, test: { rows: [] } };
	expect(describeData(summarizeData(splits, 20, leftOut))).toEqual([
		[
			'train',
			"3 functions, 33.3 % vulnerable; tokens: median 10, 90 % up to 20, longest 20; 1 (33.3 %) don't fit a sequence of 20",
		],
		['valid', '3 functions, 33.3 % vulnerable'],
		['test', '0 functions, 0.0 % vulnerable'],
		['left out', '2 rows (data.onBadRow: skip): train.jsonl:7: code: the function is empty; …'],
	]);
	expect(describeData(summarizeData(splits, 20, { rows: 0, faults: [] }))).toHaveLength(3);
});
