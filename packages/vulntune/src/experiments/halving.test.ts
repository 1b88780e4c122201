import { describe, expect, it } from 'vitest';
import type { Grid } from './grid/load-grid.ts';
import { promotions, rungEpochs } from './halving.ts';
import type { LedgerCell } from './ledger/cells.ts';

describe('the rungs', () => {
	it.each([
		[1, 9, 3, [1, 3, 9]],
		[1, 15, 3, [1, 3, 9, 15]],
		[2, 2, 3, [2]],
		[4, 3, 2, [3]],
	])('from %d to %d by %d have %j epochs', (min, max, reduction, expected) => {
		expect(rungEpochs(min, max, reduction)).toEqual(expected);
	});
});

describe('the rule', () => {
	const config = { training: { epochs: 9 } };
	const grid = {
		cells: [0, 1, 2, 3, 4, 5].map((seed) => ({
			name: `${seed}`,
			settings: new Map([['training.seed', seed]]),
			config,
		})),
		search: { reduction: 3, minEpochs: 1 },
		withEpochs: (cell: object, epochs: number) => ({ ...cell, epochs }),
	} as unknown as Grid;
	const cell = (seed: number, rung: number, status: string) =>
		({
			position: seed,
			rung,
			status,
			settings: { 'training.seed': seed, 'training.epochs': 3 ** rung },
		}) as unknown as LedgerCell;
	const promoted = (cells: readonly LedgerCell[]) =>
		promotions(grid, cells, ({ position }) => [5, 6, 1, 9, 6, 2][position]!).map(({ cell, rung }) => [
			Number(cell.name),
			rung,
			(cell as unknown as { epochs: number }).epochs,
		]);

	it('promotes nothing before a rung has as many results as go on as one', () => {
		expect(promoted([cell(0, 0, 'finished'), cell(1, 0, 'finished'), cell(2, 0, 'running')])).toEqual([]);
	});

	it('promotes the best of what is finished, with the epochs of the next rung', () => {
		const three = [0, 1, 2].map((seed) => cell(seed, 0, 'finished'));
		expect(promoted(three)).toEqual([[1, 1, 3]]);
		const six = [0, 1, 2, 3, 4, 5].map((seed) => cell(seed, 0, 'finished'));
		// equal scores: the earlier one
		expect(promoted(six)).toEqual([
			[3, 1, 3],
			[1, 1, 3],
		]);
	});

	it('counts a failed cell as a result and never promotes it, nor one twice', () => {
		const cells = [cell(0, 0, 'finished'), cell(1, 0, 'finished'), cell(3, 0, 'failed')];
		expect(promoted(cells)).toEqual([[1, 1, 3]]);
		expect(promoted([...cells, cell(1, 1, 'pending')])).toEqual([]);
	});

	it('looks at the higher rungs first, and beyond the last there is none', () => {
		const rungs = [0, 1, 2].flatMap((rung) => [0, 1, 2].map((seed) => cell(seed, rung, 'finished')));
		expect(promoted(rungs)).toEqual([]);
		expect(promoted(rungs.filter(({ rung }) => rung < 2)).map(([, rung]) => rung)).toEqual([2]);
	});
});
