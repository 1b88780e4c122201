import { describe, expect, it } from 'vitest';
import { readRow } from './row.ts';

describe('a row', () => {
	it('takes id, then idx, then the line number as its id', () => {
		const code = 'int f() { return 1; }';
		expect(readRow({ id: 'a', idx: 3, code, target: 1 }, 9)).toMatchObject({ id: 'a' });
		expect(readRow({ idx: 0, code, target: 1 }, 9)).toMatchObject({ id: 0 });
		expect(readRow({ code, target: 1 }, 9)).toMatchObject({ id: 9 });
	});

	it('reads func and label where code and target are absent', () => {
		expect(readRow({ func: 'f()', label: 0 }, 1)).toEqual({ id: 1, code: 'f()', label: 0 });
		expect(readRow({ code: 'a', func: 'b', target: 1, label: 0 }, 1)).toMatchObject({ code: 'a', label: 1 });
	});

	it('carries commit, status and weakness classes', () => {
		const value = {
			code: 'f()',
			target: 0,
			commit: 'abc',
			status: 'FIXED',
			cwe: ['CWE-20', 'CWE-79'],
			repo: null,
		};
		expect(readRow(value, 1)).toEqual({
			id: 1,
			code: 'f()',
			label: 0,
			commit: 'abc',
			status: 'FIXED',
			cwe: 'CWE-20,CWE-79',
		});
	});

	it('takes an empty text for one that is not there, as a table has it', () => {
		const row = { code: 'f()', target: 0, commit: ' ', commit_id: 'abc', repo: '', date: '\t', cwe: [''] };
		expect(readRow(row, 1)).toEqual({ id: 1, code: 'f()', label: 0, commit: 'abc' });
	});

	it('replaces lone surrogates, which have no UTF-8 form', () => {
		expect(readRow({ code: 'a\ud800b', target: 0 }, 1)).toMatchObject({ code: 'a\ufffdb' });
	});

	it.each([
		[{ target: 1 }, 'missing field code (or func)'],
		[{ code: 'f()' }, 'missing field target (or label)'],
		[{ code: ' \n\t', target: 1 }, 'code: the function is empty'],
		[{ code: 7, target: 1 }, 'code: expected a text, found 7'],
		[{ code: 'f()', target: 2 }, 'target: expected 0 or 1, found 2'],
		[{ code: 'f()', label: '1' }, 'label: expected 0 or 1, found "1"'],
		[{ code: 'f()', target: true }, 'target: expected 0 or 1, found true'],
		[{ code: 'f()', target: 1, idx: [] }, 'idx: expected a number or a text, found a list'],
		[{ code: 'f()', target: 1, commit: {} }, 'commit: expected a text, found an object'],
		[[1], 'expected an object with code and target, found a list'],
		['text', 'expected an object with code and target, found "text"'],
		[null, 'expected an object with code and target, found null'],
	])('names the fault of %j', (value, fault) => {
		const faults = readRow(value, 1);
		expect(faults).toHaveLength(1);
		expect((faults as readonly string[])[0]).toContain(fault);
	});

	it('names every fault of a row', () => {
		expect(readRow({ code: '', target: 5 }, 1)).toHaveLength(2);
	});
});
