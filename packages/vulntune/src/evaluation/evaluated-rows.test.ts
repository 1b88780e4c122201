import { describe, expect, it } from 'vitest';
import { evaluatedRows } from './evaluated-rows.ts';

describe('rows for evaluation', () => {
	it('name the first weakness that is a class, and none for placeholders', () => {
		const row = { id: 1, code: 'int f() {\n  return 1; }', label: 1 as const };
		const rows = ['CWE-22', 'NVD-CWE-noinfo,CWE-79', 'NVD-CWE-Other', undefined].map((cwe, id) => ({
			...row,
			id,
			...(cwe === undefined ? {} : { cwe }),
		}));
		const evaluated = evaluatedRows(rows, [0.1, 0.2, 0.3, Number.NaN], true);
		expect(evaluated.map(({ weakness }) => weakness)).toEqual(['CWE-22', 'CWE-79', undefined, undefined]);
		expect(evaluated.map(({ probability }) => probability)).toEqual([0.1, 0.2, 0.3, null]);
		expect(evaluated[0]!.text).toBe('int f() { return 1; }');
	});
});
