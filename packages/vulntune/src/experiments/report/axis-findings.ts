import { isDeepStrictEqual } from 'node:util';
import { aucDifference } from '../../evaluation/compare-with-baselines.ts';
import type { Prediction } from '../../evaluation/predictions.ts';
import { delongOfRuns } from '../../metrics/delong.ts';
import { holm } from '../../metrics/holm.ts';
import { shownValue } from '../grid/load-grid.ts';
import type { GridEntry } from '../ledger/cells.ts';
import { bySeeds, cellsOfAxis, distinct, type Pair, pairsOf, partnersOf } from './axis-pairs.ts';
import type { ReportCell } from './report-cells.ts';

/** The level at which a corrected p value is called a finding. */
const level = 0.05;

/** What the data allow to say of one axis. */
export interface AxisFinding {
	readonly axis: string;
	/** Means of the test ROC AUC by value, for cells that have a partner at every other value. */
	readonly means: readonly { readonly value: string; readonly rocAuc: number; readonly cells: number }[];
	/** Sentences, by rules from the tests' outcomes. */
	readonly sentences: readonly string[];
}

/** Two cells, or those of several seeds, tested on the same functions. */
interface Matched extends Pick<Pair, 'a' | 'b' | 'besides'> {
	/** ROC AUC of a minus that of b, the mean over the seeds. */
	readonly difference: number;
	readonly p: number | null;
	/** Of each seed. */
	readonly differences: readonly number[];
}

/** What can be said of each axis that has at least two values among the cells of the grids that vary it. */
export function axisFindings(
	{
		columns,
		grids,
	}: { readonly columns: readonly string[]; readonly grids: readonly Pick<GridEntry, 'name' | 'columns'>[] },
	allCells: readonly ReportCell[],
): AxisFinding[] {
	return columns.flatMap((axis) => {
		const cells = cellsOfAxis(axis, grids, allCells);
		const values = distinct(cells.map(({ cell }) => cell.settings[axis]));
		if (values.length < 2) return [];
		const pairs = pairsOf(axis, columns, cells);
		const isSeed = axis === 'training.seed';
		const matched = (isSeed ? pairs.map((pair) => [pair]) : bySeeds(columns, pairs)).flatMap(matchedOf);
		const balanced = cells.filter((cell) => distinct(partnersOf(cell, pairs)).length === values.length - 1);
		const means = values.map((value) => meanOf(axis, value, balanced));
		const gone = cells.filter(({ predictions }) => predictions.length === 0).length;
		const outcome = isSeed ? seedSentences(matched) : comparisonSentences(axis, matched);
		return [{ axis, means, sentences: gone === 0 ? outcome : withoutFolders(gone, cells.length, outcome) }];
	});
}

/** Says of which cells there are numbers alone, so that no test is of them. */
function withoutFolders(gone: number, cells: number, outcome: readonly string[]): readonly string[] {
	if (gone === cells) {
		return [
			'The run folders of these cells are gone, and with them what tests would compare: nothing can be said of it.',
		];
	}
	const which = gone === 1 ? 'The run folder of one cell is' : `The run folders of ${gone} cells are`;
	return [`${which} gone: no comparison is of ${gone === 1 ? 'it' : 'them'}.`, ...outcome];
}

function meanOf(axis: string, value: unknown, cells: readonly ReportCell[]): AxisFinding['means'][number] {
	const areas = cells.flatMap(({ cell, rocAuc }) =>
		isDeepStrictEqual(cell.settings[axis], value) && rocAuc.value !== null ? [rocAuc.value] : [],
	);
	const rocAuc = areas.reduce((sum, area) => sum + area, 0) / areas.length;
	return { value: shownValue(axis, value), rocAuc, cells: areas.length };
}

/** What a group of pairs comes to: together where they were measured on the same functions, else each by itself. */
function matchedOf(pairs: readonly Pair[]): Matched[] {
	const compared = pairs.flatMap((pair) => {
		const scores = sharedScores(pair.first, pair.second);
		return scores === undefined ? [] : [{ pair, scores }];
	});
	const [one, ...more] = compared;
	if (one === undefined) return [];
	const { a, b, besides } = one.pair;
	const areSame = more.every(({ scores }) => isDeepStrictEqual(scores.ids, one.scores.ids));
	if (more.length > 0 && areSame) {
		const runs = compared.map(({ scores }) => ({ a: scores.first, b: scores.second }));
		const found = delongOfRuns(one.scores.labels, runs);
		return found === undefined ? [] : [{ a, b, besides, ...found }];
	}
	return compared.flatMap(({ pair, scores }) => {
		const found = aucDifference(scores.labels, { scores: scores.first }, { scores: scores.second });
		if (found.value === null) return [];
		const { value, p } = found;
		return [{ a: pair.a, b: pair.b, besides: pair.besides, difference: value, p, differences: [value] }];
	});
}

/** The scores of two cells for the test functions that both have them for. */
interface SharedScores {
	readonly ids: readonly string[];
	readonly labels: readonly number[];
	readonly first: readonly number[];
	readonly second: readonly number[];
}

/** undefined where they were not measured on the same functions, or share no score. */
function sharedScores(first: ReportCell, second: ReportCell): SharedScores | undefined {
	const byId = new Map(second.predictions.map((prediction) => [String(prediction.id), prediction]));
	const isSame = ({ id, label }: Prediction) => byId.get(String(id))?.label === label;
	if (first.predictions.length !== second.predictions.length || !first.predictions.every(isSame)) {
		return undefined;
	}
	const both = first.predictions.flatMap(({ id, label, probability }) => {
		const other = byId.get(String(id))!.probability;
		return probability === null || other === null ? [] : [{ id: String(id), label, probability, other }];
	});
	if (both.length === 0) return undefined;
	const rows = both.toSorted((a, b) => (a.id < b.id ? -1 : 1));
	return {
		ids: rows.map(({ id }) => id),
		labels: rows.map(({ label }) => label),
		first: rows.map(({ probability }) => probability),
		second: rows.map(({ other }) => other),
	};
}

/** Another seed is another run of the same thing: how far those lie apart is what chance does. */
function seedSentences(matched: readonly Matched[]): string[] {
	if (matched.length === 0) return [noSeedMatched];
	const sizes = matched.map(({ difference }) => Math.abs(difference));
	const largest = Math.max(...sizes);
	// of two draws with deviation s the mean squared difference is 2 s²
	const deviation = Math.sqrt(sizes.reduce((sum, size) => sum + size * size, 0) / (2 * sizes.length));
	return [
		`The same cell with another seed differs by up to ${largest.toFixed(3)} in test ROC AUC (${counted(matched.length, 'pair')}; standard deviation of a run ${deviation.toFixed(3)}): what differs by less than that between other cells may be the seed.`,
	];
}

const noSeedMatched =
	'No two finished cells differ in the seed alone and have the same test functions, so nothing can be said of it.';

const nothingMatched =
	'No two finished cells differ in this option alone, or together with what always comes with its values, and have the same test functions, so nothing can be said of it.';

function comparisonSentences(axis: string, matched: readonly Matched[]): string[] {
	if (matched.length === 0) return [nothingMatched];
	const corrected = holm(matched.map(({ p }) => p));
	const shown = (value: unknown) => shownValue(axis, value);
	const groups = Map.groupBy(
		matched.map((pair, i) => ({
			...pair,
			corrected: corrected[i] ?? 1,
			isFound: corrected[i] !== null && corrected[i]! < level,
		})),
		({ a, b }) => JSON.stringify([a, b]),
	);
	const found = [...groups.values()].flatMap((pairs) => {
		const findings = pairs.filter(({ isFound }) => isFound);
		if (findings.length === 0) return [];
		const { a, b } = pairs[0]!;
		const up = findings.filter(({ difference }) => difference > 0).length;
		const mean = pairs.reduce((sum, { difference }) => sum + difference, 0) / pairs.length;
		if (up > 0 && up < findings.length) {
			return [
				`Between ${shown(a)} and ${shown(b)} the comparisons contradict each other: which is better depends on the other options or the seed.`,
			];
		}
		const [better, worse, gain] = up > 0 ? [a, b, mean] : [b, a, -mean];
		const how =
			pairs.length === 1
				? `, by ${overSeeds(pairs[0]!, up > 0 ? 1 : -1)}, p ${chance(pairs[0]!.corrected)}`
				: ` in ${findings.length} of ${counted(pairs.length, 'matched comparison')}, by ${gain.toFixed(3)} on average over all of them`;
		return [`${shown(better)} is better than ${shown(worse)}${how}.`];
	});
	const smallest = Math.min(...corrected.map((p) => p ?? 1));
	const nearest = matched[corrected.findIndex((p) => (p ?? 1) === smallest)]!;
	const tests = `${counted(matched.length, 'paired test')}${ofSeeds(axis, matched)} corrected by Holm's method`;
	const besides = besidesSentences(axis, matched);
	const caution = hasUnevenSeeds(matched) ? [oneSeedOnly] : [];
	if (found.length > 0) return [...besides, ...found, `(${tests}, level ${level}.)`, ...caution];
	return [
		...besides,
		`These data cannot tell the values apart: no difference holds (${tests}; the smallest p is ${smallest.toFixed(2)}, of ${shown(nearest.a)} minus ${shown(nearest.b)}: ${overSeeds(nearest)}). That is no proof that they are equal.`,
		...caution,
	];
}

const seedsOf = ({ differences }: Matched) => differences.length;

/** Whether some comparisons are over fewer seeds than others. */
function hasUnevenSeeds(matched: readonly Matched[]): boolean {
	return new Set(matched.map(seedsOf)).size > 1;
}

const oneSeedOnly =
	'Fewer seeds say less: a test over one seed counts what functions vary by, not what another seed would change.';

/** How many seeds each of several tests is over: `, of 3 seeds each,`, or each comparison by name where they differ. */
function ofSeeds(axis: string, matched: readonly Matched[]): string {
	const [{ differences }] = matched as [Matched];
	if (!hasUnevenSeeds(matched)) {
		return matched.length > 1 && differences.length > 1 ? `, of ${differences.length} seeds each,` : ',';
	}
	const groups = Map.groupBy(matched, ({ a, b }) => `${shownValue(axis, a)} with ${shownValue(axis, b)}`);
	const each = [...groups].map(([values, pairs]) => {
		const counts = [...new Set(pairs.map(seedsOf))].map((count) => counted(count, 'seed'));
		return `${values} over ${counts.join(' or ')}`;
	});
	return `, ${each.join(', ')},`;
}

/** `= 0.017`, `< 0.001` */
function chance(p: number): string {
	return p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`;
}

/** `0.017 on average over 3 seeds (0.016, 0.017, 0.018)`; of one seed its difference alone. */
function overSeeds({ difference, differences }: Matched, sign = 1): string {
	const mean = (sign * difference).toFixed(3);
	if (differences.length === 1) return mean;
	const each = differences.map((one) => (sign * one).toFixed(3)).join(', ');
	return `${mean} on average over ${differences.length} seeds (${each})`;
}

/** Names what is compared together with the axis. */
function besidesSentences(axis: string, matched: readonly Matched[]): string[] {
	const sentences = matched.flatMap(({ a, b, besides }) => {
		if (besides.length === 0) return [];
		const withValue = (value: unknown, side: 'a' | 'b') => {
			const others = besides.map((own) => `${own.option} ${shownValue(own.option, own[side])}`);
			return `${shownValue(axis, value)} comes with ${others.join(', ')}`;
		};
		return [
			`${withValue(a, 'a')}, and ${withValue(b, 'b')}: what is said of the two is of all these together, not of ${axis} alone.`,
		];
	});
	return [...new Set(sentences)];
}

function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? '' : 's'}`;
}
