import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine/errors.ts';
import { makeFolder, requireFolderOrNothing, writeFileAtomically } from '@vulntune/engine/formats/files.ts';
import {
	type Dataset,
	type DatasetOptions,
	loadDataset,
	type SplitName,
	splitNames,
} from '../data/dataset.ts';
import { parseJson } from '../data/parse-json.ts';
import type { FunctionRow } from '../data/row.ts';
import { assignGroups } from './assign-groups.ts';
import { dropNearDuplicates } from './drop-near-duplicates.ts';
import { findDuplicates } from './duplicates.ts';
import { joinSplits } from './join-splits.ts';
import {
	countUnnamed,
	dateOf,
	describeWithoutProject,
	mayBeParted,
	noProjects,
	type Projects,
	readProjects,
	type UnnamedRows,
} from './projects.ts';
import { type GroupingName, groupRowsBy } from './row-groups.ts';
import { splitByTime } from './split-by-time.ts';

export interface SplitRequest {
	/** A folder or archive; the rows of all of its splits are dealt anew. */
	readonly location: string;
	readonly output: string;
	/** What is never parted; or the time, by which later commits are tested on. A function and its fix always stay together. */
	readonly by: readonly GroupingName[] | 'time';
	/** Shares of train, valid and test, 1 together. */
	readonly shares: readonly [number, number, number];
	readonly seed: number;
	readonly projects: string | null;
	/** From which Jaccard similarity on two functions are near-duplicates. */
	readonly similarity: number;
	readonly dropNearDuplicates: boolean;
}

/** What a split came to: split.json beside the rows, and what the command prints with `--json`. */
export interface SplitReport extends UnnamedRows {
	readonly schema: 'vulntune.split/1';
	readonly by: readonly GroupingName[] | 'time';
	readonly seed: number;
	readonly shares: readonly [number, number, number];
	readonly similarity: number;
	/** Of the dataset that was split. */
	readonly sourceHash: string;
	/** Of rows that are not left out. */
	readonly groups: number;
	/** Rows of the largest group, none of which can be parted. */
	readonly largestGroup: number;
	readonly splits: Readonly<Record<SplitName, { readonly functions: number; readonly vulnerable: number }>>;
	readonly leftOut: { readonly withoutDate: number; readonly nearDuplicates: number };
	/** Rows with a date that can't be read. */
	readonly unreadableDates: number;
}

export const SPLIT_RECORD = 'split.json';

/**
 * Deals the rows of a dataset to new train, valid and test splits and writes these, every line as it was read, beside split.json.
 *
 * Throws OUTPUT_TAKEN for a folder with something in it, SPLIT_EMPTY where the groups are too few or too large for three splits,
 * SPLIT_IDS where rows of two splits that come together have one id, SPLIT_NO_DATE, SPLIT_NO_NAMES where no row names what was to be kept
 * together.
 */
export async function splitDataset(request: SplitRequest): Promise<SplitReport> {
	const { location, output, by, shares, seed } = request;
	requireFolderOrNothing(output);
	if (existsSync(output) && readdirSync(output).length > 0) {
		throw inputError('OUTPUT_TAKEN', 'the folder has something in it', {
			place: output,
			remedy: 'Choose another --output, or empty it.',
		});
	}
	const projects = readProjects(request.projects);
	const dataset = await loadAnySplits(location, { keepLines: true });
	const { rows } = joinSplits(dataset.splits);
	const lines = splitNames.flatMap((split) => dataset.lines[split]);
	const unnamed = countUnnamed(rows, projects);
	requireNames(by, unnamed, rows.length, location);
	const groupOf = groupsOf(rows, request, projects);
	const dates = rows.map((row) => dateOf(row, projects));
	const parts =
		by === 'time'
			? splitByTime(groupOf, dates, shares, location)
			: assignGroups(
					groupOf,
					rows.map(({ label }) => label),
					shares,
					seed,
				);
	const dealt = keepApart(rows, lines, parts, request);
	checkSplits(dealt.splits, dealt.lines, request);
	const sizes = new Map<number, number>();
	for (const row of dealt.rows) sizes.set(groupOf[row]!, (sizes.get(groupOf[row]!) ?? 0) + 1);
	const sizeOf = (split: SplitName) => ({
		functions: dealt.splits[split].length,
		vulnerable: dealt.splits[split].filter(({ label }) => label === 1).length,
	});
	const report: SplitReport = {
		schema: 'vulntune.split/1',
		...{ by, seed, shares, similarity: request.similarity },
		sourceHash: dataset.hash,
		groups: sizes.size,
		largestGroup: Math.max(...sizes.values()),
		splits: { train: sizeOf('train'), valid: sizeOf('valid'), test: sizeOf('test') },
		leftOut: {
			withoutDate: parts.filter((part) => part < 0).length,
			nearDuplicates: dealt.dropped,
		},
		unreadableDates: dates.filter((date) => Number.isNaN(date)).length,
		...unnamed,
	};
	makeFolder(output);
	for (const split of splitNames) {
		writeText(path.join(output, `${split}.jsonl`), dealt.lines[split].map((line) => `${line}\n`).join(''));
	}
	writeText(path.join(output, SPLIT_RECORD), `${JSON.stringify(report, null, '\t')}\n`);
	return report;
}

/** Throws SPLIT_NO_NAMES where no row says what `by` asks for: every row would be dealt by itself. */
function requireNames(
	by: SplitRequest['by'],
	{ withoutCommit, withoutProject }: UnnamedRows,
	rows: number,
	place: string,
): void {
	const absent = { commit: withoutCommit === rows, project: withoutProject === rows, nearDuplicate: false };
	if (by === 'time' || !by.every((name) => absent[name])) return;
	const ofProjects =
		'Give the rows a repo, or name with --projects a file that has the projects of their commits';
	throw inputError('SPLIT_NO_NAMES', `no row names its ${by.join(' or ')}: nothing would be kept together`, {
		place,
		remedy: `${by.includes('project') ? ofProjects : 'Give the rows a commit'}; or keep near-duplicates together (--by nearDuplicate).`,
	});
}

/** The splits of a dataset that are there; at least one. */
export async function loadAnySplits(location: string, options: DatasetOptions = {}): Promise<Dataset> {
	const dataset = await loadDataset(location, { ...options, required: [], optional: splitNames });
	if (splitNames.some((split) => dataset.splits[split].length > 0)) return dataset;
	throw inputError('DATASET_EMPTY', 'there are no rows in train.jsonl, valid.jsonl and test.jsonl', {
		place: location,
		remedy: 'Name the file with the rows train.jsonl.',
	});
}

function groupsOf(
	rows: readonly FunctionRow[],
	{ by, similarity }: SplitRequest,
	projects: Projects,
): Int32Array {
	// near-duplicates count only where they are asked for: they are what takes time
	const isCompared = by !== 'time' && by.includes('nearDuplicate');
	const duplicates = findDuplicates(isCompared ? rows.map(({ code }) => code) : []);
	return by === 'time'
		? groupRowsBy(rows, ['commit'], noProjects, duplicates)
		: groupRowsBy(rows, by, projects, duplicates, similarity);
}

/** Rows and lines of each new split, without those that it must not have. */
function keepApart(
	rows: readonly FunctionRow[],
	lines: readonly string[],
	parts: Int32Array,
	{ dropNearDuplicates: isDropping, similarity }: SplitRequest,
) {
	const members = splitNames.map((_, part) => [...rows.keys()].filter((index) => parts[index] === part));
	const pick = <Item>(items: readonly Item[], [train, valid, test]: readonly (readonly number[])[]) => ({
		train: train!.map((index) => items[index]!),
		valid: valid!.map((index) => items[index]!),
		test: test!.map((index) => items[index]!),
	});
	const stays = isDropping ? dropNearDuplicates(pick(rows, members), similarity).stays : undefined;
	let place = 0;
	const kept = members.map((own) => own.filter(() => stays?.[place++] ?? true));
	return {
		/** Numbers of the rows that are in any of them. */
		rows: kept.flat(),
		splits: pick(rows, kept),
		lines: pick(lines, kept),
		dropped: members.flat().length - kept.flat().length,
	};
}

function checkSplits(
	splits: Readonly<Record<SplitName, readonly FunctionRow[]>>,
	lines: Readonly<Record<SplitName, readonly string[]>>,
	{ location, shares }: SplitRequest,
): void {
	for (const [part, split] of splitNames.entries()) {
		if (splits[split].length === 0 && shares[part]! > 0) {
			throw inputError(
				'SPLIT_EMPTY',
				`no group of rows is left for ${split}: they are too few or too large`,
				{
					place: location,
					remedy: 'Keep less together with --by, or choose other --parts.',
				},
			);
		}
		const seen = new Set<string>();
		for (const [index, line] of lines[split].entries()) {
			const { id, idx } = parseJson(line) as { id?: unknown; idx?: unknown };
			// a row without an id gets its new line number
			if ((id ?? idx) == null) continue;
			const name = String(splits[split][index]!.id);
			if (seen.has(name)) {
				throw inputError(
					'SPLIT_IDS',
					`two rows that come into ${split} have the id ${JSON.stringify(name)}`,
					{
						place: location,
						remedy: 'Give the rows of all splits ids of their own, or remove these.',
					},
				);
			}
			seen.add(name);
		}
	}
}

function writeText(file: string, text: string): void {
	writeFileAtomically(file, (append) => append(new TextEncoder().encode(text)));
}

/** The report for terminals. */
export function renderSplit(report: SplitReport, output: string): string {
	const { splits, groups, largestGroup, leftOut, withoutCommit, unreadableDates, by } = report;
	const lines = splitNames.map((split) => {
		const { functions, vulnerable } = splits[split];
		const share = functions === 0 ? 0 : (100 * vulnerable) / functions;
		return `${split.padEnd(6)}${functions} functions, ${vulnerable} vulnerable (${share.toFixed(1)} %)`;
	});
	const isByProject = by !== 'time' && by.includes('project');
	const ofCommits =
		withoutCommit === 0 ? undefined : `${withoutCommit} functions name no commit: ${mayBeParted}`;
	const apart = isByProject ? describeWithoutProject(report) : ofCommits;
	const empty = splitNames.filter((split) => splits[split].functions === 0);
	return [
		...lines,
		`${groups} groups that are not parted, the largest of ${largestGroup} functions.`,
		...(apart === undefined ? [] : [`${apart.charAt(0).toUpperCase()}${apart.slice(1)}.`]),
		...(empty.length > 0
			? [`Nothing is in ${empty.join(' and ')}: vulntune train needs functions in all three splits.`]
			: []),
		...(by === 'time' && unreadableDates > 0
			? [`${unreadableDates} functions name a date that is none.`]
			: []),
		...(leftOut.withoutDate > 0 ? [`${leftOut.withoutDate} functions without a date are left out.`] : []),
		...(leftOut.nearDuplicates > 0
			? [`${leftOut.nearDuplicates} near-duplicates of later splits are left out.`]
			: []),
		`Written to ${output}.`,
	].join('\n');
}
