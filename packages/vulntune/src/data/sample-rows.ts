import { inputError } from '@vulntune/engine/errors.ts';
import { hashStream, uniform } from '@vulntune/engine/random/streams.ts';
import type { FunctionRow } from './row.ts';

/** What share of rows is drawn: of all, of those of a status each, or none left out. */
export type RowSample = number | Readonly<Record<string, number>> | null;

/**
 * A share of rows, in their order: of the whole, where rows of one commit come or stay out together, so that a function keeps its fix;
 * or of the rows of each status that is named, row by row. Of two shares with one seed the smaller is a part of the larger.
 *
 * @throws VulntuneError STATUS_UNKNOWN where no row has a status that is named; DATASET_EMPTY where nothing is drawn
 */
export function sampleRows(
	rows: readonly FunctionRow[],
	sample: RowSample,
	seed: number,
): readonly FunctionRow[] {
	if (sample === null) return rows;
	const drawn =
		typeof sample === 'number'
			? draw(rows, sample, seed, ({ commit, id }) => `commit ${commit ?? `of row ${id}`}`)
			: drawByStatus(rows, sample, seed);
	if (drawn.length > 0) return drawn;
	throw inputError('DATASET_EMPTY', 'no training row is drawn', {
		place: 'data.sample',
		remedy: 'Ask for a larger share.',
	});
}

function drawByStatus(
	rows: readonly FunctionRow[],
	shares: Readonly<Record<string, number>>,
	seed: number,
): FunctionRow[] {
	const statuses = new Set(rows.map(({ status }) => status));
	const unknown = Object.keys(shares).filter((status) => !statuses.has(status));
	if (unknown.length > 0) {
		const present = [...statuses].filter((status) => status !== undefined);
		throw inputError('STATUS_UNKNOWN', `no training row has the status ${unknown.join(', ')}`, {
			place: 'data.sample',
			remedy: present.length === 0 ? 'The rows have no status.' : `The rows have ${present.join(', ')}.`,
		});
	}
	const kept = new Set(
		Object.entries(shares).flatMap(([status, share]) => {
			const own = rows.filter((row) => row.status === status);
			return draw(own, share, seed, ({ id }) => `row ${id}`);
		}),
	);
	return rows.filter((row) => kept.has(row) || !Object.hasOwn(shares, row.status ?? ''));
}

/** The rows of the first units in an order that the seed decides. */
function draw(
	rows: readonly FunctionRow[],
	share: number,
	seed: number,
	unitOf: (row: FunctionRow) => string,
): FunctionRow[] {
	const order = [...new Set(rows.map(unitOf))]
		.map((unit) => ({ unit, place: uniform(seed, hashStream(`data/sample ${unit}`), 0) }))
		.toSorted((a, b) => a.place - b.place);
	const kept = new Set(order.slice(0, Math.round(share * order.length)).map(({ unit }) => unit));
	return rows.filter((row) => kept.has(unitOf(row)));
}
