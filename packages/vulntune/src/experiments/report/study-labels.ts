import type { ReportCell } from './report-cells.ts';

/** How cells are named in figures, each otherwise: by their name, where two have the same with their number before it. */
export function cellLabels(cells: readonly ReportCell[]): string[] {
	const names = cells.map(({ cell }) => cell.name);
	return cells.map(({ cell }, i) =>
		names.filter((name) => name === names[i]).length > 1 ? `${cell.cell}  ${cell.name}` : names[i]!,
	);
}

/** What cells that differ in their seed alone share, in the order of the cells; that of two grids has the grid's name before it. */
export function settingLabels(cells: readonly ReportCell[]): string[] {
	const labels = cells.map(({ cell: { name } }) => withoutSeed(name));
	return cells.map(({ cell: { grid } }, i) => {
		const isShared = cells.some(({ cell }, other) => labels[other] === labels[i] && cell.grid !== grid);
		return isShared ? `${grid}: ${labels[i]}` : labels[i]!;
	});
}

function withoutSeed(name: string): string {
	return name.replace(/(, )?\bseed=\d+/, '').replace(/^, /, '') || name;
}
