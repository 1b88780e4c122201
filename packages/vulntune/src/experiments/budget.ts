import type { Grid } from './grid/load-grid.ts';
import { readCells } from './ledger/cells.ts';
import type { Ledger } from './ledger/open-ledger.ts';

/** Whether the cells of a grid have computed for as long as its budget lets them: then none is begun. */
export function isBudgetSpent(
	ledger: Ledger,
	{ name, budgetHours }: Pick<Grid, 'name' | 'budgetHours'>,
): boolean {
	if (budgetHours === null) return false;
	const spent = readCells(ledger, name).reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
	return spent >= 3600 * budgetHours;
}
