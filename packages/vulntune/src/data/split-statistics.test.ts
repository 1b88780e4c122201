import { expect, it } from 'vitest';
import { splitStatistics } from './split-statistics.ts';

it('counts functions, vulnerable ones, and tokens where they are known', () => {
	const rows = [{ label: 1 }, { label: 0 }, { label: 1 }] as const;
	expect(splitStatistics(rows, undefined, 10)).toEqual({ functions: 3, vulnerable: 2, tokens: null });
	expect(splitStatistics(rows, [3, 9, 10], 10).tokens).toMatchObject({ functions: 3, tokens: 22, longer: 1 });
});
