import { describe, expect, it } from 'vitest';
import type { FunctionRow } from './row.ts';
import { sampleRows } from './sample-rows.ts';

const rows = Array.from({ length: 400 }, (_, id): FunctionRow => {
	const status = id % 4 === 0 ? 'VULNERABLE' : id % 4 === 1 ? 'FIXED' : 'NOT_VULNERABLE';
	return { id, code: 'f', label: id % 4 === 0 ? 1 : 0, status, commit: `c${id >> 2}` };
});
const ids = (drawn: readonly FunctionRow[]) => drawn.map(({ id }) => id as number);

describe('a share of the rows', () => {
	it('is of commits, each whole, in order, the same for a seed', () => {
		const drawn = sampleRows(rows, 0.3, 1);
		expect(drawn).toHaveLength(120);
		expect(new Set(drawn.map(({ commit }) => commit)).size).toBe(30);
		expect(ids(drawn)).toEqual(ids(drawn).toSorted((a, b) => a - b));
		expect(sampleRows(rows, 0.3, 1)).toEqual(drawn);
		expect(sampleRows(rows, 0.3, 2)).not.toEqual(drawn);
	});

	it('is a part of a larger one', () => {
		const larger = new Set(ids(sampleRows(rows, 0.5, 1)));
		expect(ids(sampleRows(rows, 0.1, 1)).every((id) => larger.has(id))).toBe(true);
	});

	it('is of each row where no commit is known', () => {
		const alone = rows.map(({ commit: _, ...row }) => row);
		expect(sampleRows(alone, 0.25, 1)).toHaveLength(100);
	});

	it('of a status leaves the others whole', () => {
		const drawn = sampleRows(rows, { NOT_VULNERABLE: 0.1, FIXED: 0 }, 1);
		const count = (status: string) => drawn.filter((row) => row.status === status).length;
		expect([count('VULNERABLE'), count('FIXED'), count('NOT_VULNERABLE')]).toEqual([100, 0, 20]);
		expect(ids(drawn)).toEqual(ids(drawn).toSorted((a, b) => a - b));
	});

	it('is all of them without a sample', () => {
		expect(sampleRows(rows, null, 1)).toBe(rows);
		expect(sampleRows(rows, 1, 1)).toEqual(rows);
	});

	it('of nothing, or of a status that no row has, is refused', () => {
		expect(() => sampleRows(rows, 0.001, 1)).toThrow(/data\.sample: no training row is drawn/);
		expect(() => sampleRows(rows, { P3: 0.1 }, 1)).toThrow(
			/no training row has the status P3\n.*VULNERABLE, FIXED, NOT_VULNERABLE/,
		);
	});
});
