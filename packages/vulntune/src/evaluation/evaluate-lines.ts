import { inputError } from '@vulntune/engine';
import { pairRows } from '../data/pair-rows.ts';
import type { FunctionRow } from '../data/row.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import type { Attribution } from '../explanation/attribute-tokens.ts';
import { changedLines } from '../explanation/changed-lines.ts';
import type { LineScore } from '../explanation/line-scores.ts';
import { linesOf } from '../explanation/token-lines.ts';
import { groupRows } from '../metrics/bootstrap.ts';
import {
	type LineMetricName,
	type LineMetrics,
	lineMetricNames,
	lineMetrics,
} from '../metrics/line-metrics.ts';
import { textTable } from '../terminal/text-table.ts';
import { groupsOf } from './groups.ts';

/** How well lines are found: the methods of the model first, then orders that know nothing. */
export interface LineEvaluation {
	/** Functions whose lines are ranked: those that are not vulnerable, and the vulnerable ones whose fix removed or changed lines. */
	readonly functions: number;
	readonly flawedFunctions: number;
	/** Vulnerable functions that are left out: the fix isn't in the split, or only adds lines. */
	readonly leftOut: { readonly withoutFix: number; readonly onlyAdded: number };
	/** Lines that hold something. */
	readonly lines: number;
	readonly flawedLines: number;
	/** Of these, lines behind the end of a function that was cut: ranked last. */
	readonly unreadFlawedLines: number;
	/** What functions are scored by too, but their lines are not; null where that is nothing. */
	readonly linesLeaveOut: 'ngram' | null;
	readonly rows: readonly LineEvaluationRow[];
}

export interface LineEvaluationRow {
	readonly name: Attribution | 'longest' | 'topDown';
	readonly kind: 'model' | 'baseline';
	readonly metrics: LineMetrics;
}

/** The flawed lines of each row: those that its fix removed or changed; undefined where that is not known. */
export function flawedLines(rows: readonly FunctionRow[]): {
	readonly flawed: readonly (readonly boolean[] | undefined)[];
	readonly leftOut: LineEvaluation['leftOut'];
} {
	const pairs = pairRows(
		rows.map(({ label, commit, functionName }) => ({ label, group: commit, functionName })),
	);
	const fixOf = new Map(pairs);
	let [withoutFix, onlyAdded] = [0, 0];
	const flawed = rows.map(({ label, code }, index) => {
		if (label === 0) return linesOf(code).map(() => false);
		const fix = fixOf.get(index);
		if (fix === undefined) {
			withoutFix++;
			return undefined;
		}
		const changed = changedLines(code, rows[fix]!.code);
		if (changed.includes(true)) return changed;
		onlyAdded++;
		return undefined;
	});
	return { flawed, leftOut: { withoutFix, onlyAdded } };
}

/** Throws LINES_UNKNOWN where no row has flawed lines: before anything is scored. */
export function requireFlawedLines(rows: readonly FunctionRow[], place: string): void {
	if (flawedLines(rows).flawed.some((lines) => lines?.includes(true))) return;
	throw inputError(
		'LINES_UNKNOWN',
		'no function of the split is there with a fix that removes or changes a line',
		{
			place,
			remedy:
				'Lines are labelled by their fix: a row of the same commit and function_name with target 0. Leave --lines out, or evaluate rows that have them.',
		},
	);
}

/**
 * Measures line scores against the lines that fixes changed.
 *
 * @param scores by method [rows] of [lines]
 * @param isPositive [rows] predicted vulnerable
 */
export function evaluateLines(
	rows: readonly FunctionRow[],
	scores: ReadonlyMap<Attribution, readonly (readonly LineScore[])[]>,
	isPositive: readonly boolean[],
	{ seed, linesLeaveOut }: Pick<LineEvaluation, 'linesLeaveOut'> & { readonly seed: number },
): LineEvaluation {
	const { flawed, leftOut } = flawedLines(rows);
	const ranked = rows.flatMap(({ code, commit }, row) => {
		const labels = flawed[row];
		if (labels === undefined) return [];
		const texts = linesOf(code).map(collapseWhitespace);
		const kept = texts.flatMap((text, line) => (text === '' ? [] : [line]));
		return [{ row, commit, texts, kept, flawed: kept.map((line) => labels[line]!) }];
	});
	const groups = groupRows(groupsOf(ranked.map(({ commit }) => commit)).groups);
	const measure = (
		name: LineEvaluationRow['name'],
		kind: LineEvaluationRow['kind'],
		scoreOf: (row: number, line: number, text: string) => number,
	): LineEvaluationRow => {
		const functions = ranked.map(({ row, kept, texts, flawed }) => ({
			isPositive: isPositive[row]!,
			flawed,
			scores: kept.map((line) => scoreOf(row, line, texts[line]!)),
		}));
		return { name, kind, metrics: lineMetrics(functions, { groups, seed }) };
	};
	const anyMethod = [...scores.values()][0]!;
	const isUnread = (row: number, line: number) => anyMethod[row]![line]!.score === null;
	const count = (of: (one: (typeof ranked)[number]) => number) =>
		ranked.reduce((sum, one) => sum + of(one), 0);
	return {
		functions: ranked.length,
		flawedFunctions: count(({ flawed }) => (flawed.includes(true) ? 1 : 0)),
		leftOut,
		lines: count(({ kept }) => kept.length),
		flawedLines: count(({ flawed }) => flawed.filter(Boolean).length),
		unreadFlawedLines: count(
			({ row, kept, flawed }) => kept.filter((line, index) => flawed[index] && isUnread(row, line)).length,
		),
		linesLeaveOut,
		rows: [
			...[...scores].map(([method, lines]) =>
				measure(method, 'model', (row, line) => lines[row]![line]!.score ?? Number.NEGATIVE_INFINITY),
			),
			measure('longest', 'baseline', (_row, _line, text) => text.length),
			measure('topDown', 'baseline', () => 0),
		],
	};
}

const heads: Readonly<Record<LineMetricName, string>> = {
	top10: 'Top-10',
	ifa: 'IFA',
	effort20Recall: 'Effort@20%Recall',
	recall1Loc: 'Recall@1%LOC',
};

/** The table of line metrics, for a terminal. */
export function renderLineEvaluation(lines: LineEvaluation): string {
	const { functions, flawedFunctions, flawedLines, unreadFlawedLines, leftOut } = lines;
	const cell = (row: LineEvaluationRow, name: LineMetricName) => {
		const metric = row.metrics[name];
		if (metric.value === null) return '–';
		const shown = (value: number) => value.toFixed(name === 'ifa' ? 1 : 3);
		const interval = metric.low === null ? '' : ` [${shown(metric.low)}, ${shown(metric.high)}]`;
		return shown(metric.value) + interval;
	};
	const names = {
		attention: 'attention',
		gradient: 'gradient',
		longest: 'longest first',
		topDown: 'top down',
	};
	const table = textTable([
		['lines', ...lineMetricNames.map((name) => heads[name])],
		...lines.rows.map((row) => [names[row.name], ...lineMetricNames.map((name) => cell(row, name))]),
	]);
	const unread = unreadFlawedLines === 0 ? '' : `, ${unreadFlawedLines} of them cut off and ranked last`;
	return [
		table,
		'',
		`${flawedLines} flawed of ${lines.lines} lines${unread}, in ${flawedFunctions} of ${functions} functions: lines that the fix removed or changed.`,
		`Left out: vulnerable functions whose fix only adds lines (${leftOut.onlyAdded}) or isn't in the split (${leftOut.withoutFix}).`,
		...(lines.linesLeaveOut === null
			? []
			: [
					"The n-grams' share of a function's score is laid to no line: lines are ranked by the model's part alone.",
				]),
		'Functions that are predicted vulnerable are read first; longest first and top down order their lines without a model.',
	].join('\n');
}
