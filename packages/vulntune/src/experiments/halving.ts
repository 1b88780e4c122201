import { isDeepStrictEqual } from 'node:util';
import type { Grid, GridCell } from './grid/load-grid.ts';
import type { LedgerCell } from './ledger/cells.ts';

/** Epochs of each rung: `reduction` times as many as the one before, the last the config's own. */
export function rungEpochs(minEpochs: number, maxEpochs: number, reduction: number): number[] {
	const rungs: number[] = [];
	for (let epochs = minEpochs; epochs < maxEpochs; epochs *= reduction) rungs.push(epochs);
	return [...rungs, maxEpochs];
}

/** A cell that goes on to the next rung. */
export interface Promotion {
	readonly cell: GridCell;
	readonly rung: number;
}

/**
 * The cells that ASHA's rule promotes now (Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2): in each
 * rung, from the highest, those that are among the best 1 / reduction of what the rung has finished and are not promoted yet. A
 * promoted cell is trained anew for its number of epochs, because a schedule that comes to its end early is another one; so its run is
 * that of any grid with these options.
 *
 * @param cells of the grid in its ledger
 * @param scoreOf what validation says of a finished run, the higher the better
 */
export function promotions(
	grid: Grid,
	cells: readonly LedgerCell[],
	scoreOf: (cell: LedgerCell) => number,
): Promotion[] {
	const { reduction } = grid.search;
	const promoted: Promotion[] = [];
	for (const rung of rungsOf(grid).keys().toArray().toReversed().slice(1)) {
		const ofRung = cells.filter((cell) => cell.rung === rung);
		const ended = ofRung.filter(({ status }) => status === 'finished' || status === 'failed');
		const best = ended
			.filter(({ status }) => status === 'finished')
			.map((cell) => ({ cell, score: scoreOf(cell) }))
			.toSorted((a, b) => b.score - a.score || a.cell.position - b.cell.position)
			.slice(0, Math.floor(ended.length / reduction));
		const above = cells.filter((cell) => cell.rung === rung + 1);
		for (const { cell } of best) {
			if (above.some((other) => isSameSample(other, cell))) continue;
			const sample = grid.cells.find(({ settings }) =>
				isDeepStrictEqual(Object.fromEntries(settings), sampleOf(cell)),
			);
			if (sample !== undefined) promoted.push({ cell: atRung(grid, sample, rung + 1), rung: rung + 1 });
		}
	}
	return promoted;
}

/** A sample with the epochs of a rung. */
export function atRung(grid: Grid, sample: GridCell, rung: number): GridCell {
	return grid.withEpochs(sample, rungsOf({ ...grid, cells: [sample] })[rung]!);
}

function rungsOf({ cells, search }: Grid): number[] {
	const maxEpochs = cells[0]!.config.training.epochs;
	return rungEpochs(search.minEpochs, maxEpochs, search.reduction);
}

function isSameSample(a: LedgerCell, b: LedgerCell): boolean {
	return isDeepStrictEqual(sampleOf(a), sampleOf(b));
}

function sampleOf({ settings }: LedgerCell): Readonly<Record<string, unknown>> {
	const { 'training.epochs': _epochs, ...sample } = settings;
	return sample;
}
