import { type SplitName, splitNames } from '../data/dataset.ts';
import { textTable } from '../terminal/text-table.ts';
import type { Audit, RowName } from './audit-dataset.ts';
import type { SplitOverlap } from './split-overlap.ts';

/** What the columns of the table of overlaps count. */
export const overlapColumns: readonly {
	readonly label: string;
	readonly of: (overlap: SplitOverlap) => number | null;
}[] = [
	{ label: 'copies', of: ({ exact }) => exact },
	{ label: 'near-duplicates', of: ({ near }) => near },
	{ label: 'similar', of: ({ similar }) => similar },
	{ label: 'same commit', of: ({ commit }) => commit },
	{ label: 'same project', of: ({ project }) => project },
	{ label: 'not newer', of: ({ older }) => older },
];

/** What the audit's words mean. */
export function auditLegend({ thresholds, projects, dates }: Audit): string[] {
	return [
		'copies: the same text, white space aside. near-duplicates and similar: Jaccard similarity of sequences of five words of at ' +
			`least ${thresholds.near} and ${thresholds.similar}; each counts those before it.`,
		`same project: known for ${projects.knownRows} functions, ${projects.count} projects. ` +
			`not newer: than the newest function of the other split; dates are known for ${dates.knownRows} functions.`,
		...(dates.unreadableRows > 0 ? [`${dates.unreadableRows} functions name a date that is none.`] : []),
	];
}

/** The audit for terminals. */
export function renderAudit(audit: Audit): string {
	const { splits, across, labelConflicts, clusters } = audit;
	const present = splitNames.filter((split) => splits[split].functions > 0);
	const sizes = textTable([
		['', 'functions', 'vulnerable', 'copies inside', 'from', 'to'],
		...present.map((split) => {
			const { functions, vulnerable, copies, dates } = splits[split];
			return [split, ...[functions, vulnerable, copies].map(String), dates?.first ?? '-', dates?.last ?? '-'];
		}),
	]);
	const overlaps = textTable([
		['functions of … known from', ...overlapColumns.map(({ label }) => label)],
		...across.map((overlap) => [
			`${overlap.split}, ${overlap.other}`,
			...overlapColumns.map(({ of }) => shareOf(of(overlap), splits[overlap.split].functions)),
		]),
	]);
	return [
		sizes,
		'',
		...(across.length === 0 ? [] : [overlaps, '']),
		conflictLine(labelConflicts),
		...labelConflicts.found.slice(0, 5).map((rows) => `  ${rows.map(spellRow).join(', ')}`),
		`${clusters.count} clusters of near-duplicates, the largest of ${clusters.largest} functions.`,
		'',
		...auditLegend(audit),
	].join('\n');
}

/** How many texts are vulnerable in one row and not in another. */
export function conflictLine({ texts, rows }: Audit['labelConflicts']): string {
	if (texts === 0) return 'No text has both labels.';
	return `${texts} ${texts === 1 ? 'text has' : 'texts have'} both labels, in ${rows} functions.`;
}

/** `train 7 (vulnerable)` */
export function spellRow({ split, id, label }: RowName): string {
	return `${split} ${id} (${label === 1 ? 'vulnerable' : 'not'})`;
}

function shareOf(count: number | null, functions: number): string {
	return count === null ? '-' : `${count} (${((100 * count) / functions).toFixed(1)} %)`;
}

/**
 * The audit in a line, for those who are about to train; undefined where test and validation hold nothing that training knows.
 *
 * @param location of the dataset, named in the line
 */
export function auditWarning({ across, labelConflicts }: Audit, location: string): string | undefined {
	const parts = across.flatMap((overlap) => {
		const kinds = [
			[overlap.near, 'near-duplicates'],
			[overlap.commit, 'of the same commit'],
			[overlap.project, 'of the same project'],
		] as const;
		const found = kinds
			.filter(([count]) => count !== null && count > 0)
			.map(([count, what]) => `${count} ${what}`);
		const names: readonly SplitName[] = [overlap.split, overlap.other];
		return found.length === 0 ? [] : [`${names.join(' knows from ')}: ${found.join(', ')}`];
	});
	const advice = `see vulntune dataset audit ${location}`;
	const conflicts = `texts with both labels: ${labelConflicts.texts}`;
	if (parts.length === 0) return labelConflicts.texts === 0 ? undefined : `${conflicts}; ${advice}`;
	if (labelConflicts.texts > 0) parts.push(conflicts);
	return `the splits are not apart (${parts.join('; ')}): numbers on them are too good; ${advice}`;
}
