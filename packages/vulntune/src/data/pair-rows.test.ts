import { expect, it } from 'vitest';
import { type PairableRow, pairRows } from './pair-rows.ts';

const row = (label: 0 | 1, group?: string, functionName?: string): PairableRow => ({
	...{ label, group, functionName },
});

it('pairs a function with its fix: of one commit and name, in the order of the vulnerable ones', () => {
	const rows = [row(0, 'a', 'f'), row(1, 'b', 'f'), row(0, 'b', 'f'), row(1, 'a', 'f'), row(0, 'b', 'g')];
	expect(pairRows(rows)).toEqual([
		[1, 2],
		[3, 0],
	]);
});

it('guesses nothing where overloads have one name, or a row says no commit or name', () => {
	const overloads = [row(1, 'a', 'f'), row(1, 'a', 'f'), row(0, 'a', 'f')];
	expect(pairRows(overloads)).toEqual([]);
	expect(pairRows([...overloads.slice(1), row(0, 'a', 'f')])).toEqual([]);
	expect(pairRows([row(1, 'a'), row(0, 'a'), row(1, undefined, 'f'), row(0, undefined, 'f')])).toEqual([]);
	// a comma in a name makes it no other
	expect(pairRows([row(1, 'a', 'b,c'), row(0, 'a,b', 'c')])).toEqual([]);
});
