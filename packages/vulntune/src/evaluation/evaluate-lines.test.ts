import { describe, expect, it } from 'vitest';
import type { FunctionRow } from '../data/row.ts';
import { evaluateLines, flawedLines, renderLineEvaluation, requireFlawedLines } from './evaluate-lines.ts';

const row = (id: number, label: 0 | 1, commit: string, code: string, functionName = 'f'): FunctionRow => ({
	...{ id, label, commit, code, functionName },
});

const rows = [
	row(0, 1, 'a', 'int f() {\n\n\tbad();\n\treturn 1;\n}'),
	row(1, 0, 'a', 'int f() {\n\n\tgood();\n\treturn 1;\n}'),
	row(2, 1, 'b', 'int f() {\n\tuse();\n}'),
	row(3, 0, 'b', 'int f() {\n\tcheck();\n\tuse();\n}'),
	row(4, 1, 'c', 'int f() {\n\talone();\n}'),
];

/** Line scores of every row, by their numbers from 0; null where the function was cut. */
const scores = (scoreOf: (row: number, line: number) => number | null) =>
	rows.map(({ code }, index) =>
		code
			.split('\n')
			.map((text, line) => ({ number: line + 1, text, score: scoreOf(index, line), tokens: 1 })),
	);

describe('lines that fixes changed', () => {
	it('are known of vulnerable functions whose fix is there and changes or removes one', () => {
		const { flawed, leftOut } = flawedLines(rows);
		expect(flawed[0]).toEqual([false, false, true, false, false]);
		expect(flawed[1]).toEqual([false, false, false, false, false]);
		expect(flawed[2]).toBeUndefined();
		expect(flawed[4]).toBeUndefined();
		expect(leftOut).toEqual({ withoutFix: 1, onlyAdded: 1 });
	});

	it('are asked for before anything is scored', () => {
		expect(() => requireFlawedLines(rows, 'data: test')).not.toThrow();
		expect(() => requireFlawedLines(rows.slice(2), 'data: test')).toThrow(
			expect.objectContaining({ code: 'LINES_UNKNOWN', place: 'data: test' }),
		);
	});

	it('are looked for among lines that hold something, the model beside orders that know nothing', () => {
		const attention = scores((index, line) => (index === 0 && line === 2 ? 5 : 1));
		const gradient = scores((index, line) => (index === 0 && line === 2 ? -5 : 1));
		const found = evaluateLines(
			rows,
			new Map([
				['attention', attention],
				['gradient', gradient],
			]),
			[true, false, true, false, true],
			{ seed: 1, linesLeaveOut: null },
		);
		expect(found).toMatchObject({
			functions: 3,
			flawedFunctions: 1,
			lines: 12,
			flawedLines: 1,
			unreadFlawedLines: 0,
		});
		expect(found.rows.map(({ name, kind }) => [name, kind])).toEqual([
			['attention', 'model'],
			['gradient', 'model'],
			['longest', 'baseline'],
			['topDown', 'baseline'],
		]);
		const ifa = found.rows.map(({ metrics }) => metrics.ifa.value);
		// int f() {, bad();, return 1;, }: the longest two and the first one come before it
		expect(ifa).toEqual([0, 3, 2, 1]);
		expect(found.rows[0]!.metrics.effort20Recall.value).toBe(1 / 12);
	});

	it('that were cut off are counted, and come last', () => {
		const cut = scores((_, line) => (line > 1 ? null : -1));
		const found = evaluateLines(rows, new Map([['attention', cut]]), [true, false, true, false, true], {
			seed: 1,
			linesLeaveOut: null,
		});
		expect(found.unreadFlawedLines).toBe(1);
		expect(found.rows[0]!.metrics.ifa.value).toBe(1);
		const text = renderLineEvaluation(found);
		expect(text).toContain('1 flawed of 12 lines, 1 of them cut off and ranked last, in 1 of 3 functions');
		expect(text).toContain("only adds lines (1) or isn't in the split (1)");
		expect(text).not.toContain('n-grams');
		expect(renderLineEvaluation({ ...found, linesLeaveOut: 'ngram' })).toContain("by the model's part alone");
		expect(text).toMatch(/attention +1\.000 .* +1\.0 /);
	});
});
