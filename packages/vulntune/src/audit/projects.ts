import { createHash } from 'node:crypto';
import { inputError } from '@vulntune/engine/errors.ts';
import { readSmallFile } from '@vulntune/engine/formats/files.ts';
import { parseJsonObject } from '@vulntune/engine/formats/json.ts';
import type { FunctionRow } from '../data/row.ts';

/** What a file says of commits: which project each is of, and when it was made. */
export interface Projects {
	readonly repoOf: ReadonlyMap<string, string>;
	readonly dateOf: ReadonlyMap<string, string>;
	/** SHA-256 of the file in hex; empty where there is none. */
	readonly hash: string;
}

export const noProjects: Projects = { repoOf: new Map(), dateOf: new Map(), hash: '' };

const maxFileBytes = 2 ** 28;
const remedy =
	'It is a JSON object with a project for every commit: {"5e1c…": "apache/tomcat"}, or {"5e1c…": {"repo": "apache/tomcat", "date": "2016-01-31"}}.';

/**
 * A file that maps commits to projects: each to a name, or to an object with `repo` and, where it is known, `date`; other keys are
 * ignored.
 *
 * Throws PROJECTS_FILE.
 *
 * @param file null for none
 */
export function readProjects(file: string | null): Projects {
	if (file === null) return noProjects;
	const bytes = readSmallFile(file, maxFileBytes);
	const entries = Object.entries(parseJsonObject(bytes, { code: 'PROJECTS_FILE', place: file, remedy }));
	const repoOf = new Map<string, string>();
	const dateOf = new Map<string, string>();
	for (const [commit, value] of entries) {
		const { repo, date } = typeof value === 'string' ? { repo: value, date: undefined } : fieldsOf(value);
		if (typeof repo !== 'string' || repo.trim() === '') {
			throw inputError('PROJECTS_FILE', `commit ${commit} has no project`, { place: file, remedy });
		}
		repoOf.set(commit, repo);
		if (typeof date === 'string') dateOf.set(commit, date);
	}
	return { repoOf, dateOf, hash: createHash('sha256').update(bytes).digest('hex') };
}

function fieldsOf(value: unknown): { repo?: unknown; date?: unknown } {
	return typeof value === 'object' && value !== null ? value : {};
}

/** The project of a row: its own `repo`, else that of its commit; undefined where neither is known. */
export function projectOf(
	{ repo, commit }: Pick<FunctionRow, 'repo' | 'commit'>,
	projects: Projects,
): string | undefined {
	const name = repo ?? (commit === undefined ? undefined : projects.repoOf.get(commit));
	return name === undefined ? undefined : plainName(name);
}

/** How many of some rows don't say what they belong to. */
export interface UnnamedRows {
	readonly withoutCommit: number;
	/** Rows of a project that nobody names. */
	readonly withoutProject: number;
	/** Of these, rows that name no commit either. */
	readonly withoutEither: number;
}

/** Counts the rows that name no commit, no project, neither. */
export function countUnnamed(
	rows: readonly Pick<FunctionRow, 'repo' | 'commit'>[],
	projects: Projects,
): UnnamedRows {
	const apart = rows.filter((row) => projectOf(row, projects) === undefined);
	const named = (own: typeof rows) => own.filter(({ commit }) => commit !== undefined).length;
	return {
		withoutCommit: rows.length - named(rows),
		withoutProject: apart.length,
		withoutEither: apart.length - named(apart),
	};
}

/** What a reader of groups by project must know of rows without one; undefined where there are none. */
export function describeWithoutProject({
	withoutProject,
	withoutEither,
}: Omit<UnnamedRows, 'withoutCommit'>): string | undefined {
	if (withoutProject === 0) return undefined;
	const known = `the project of ${withoutProject} functions is not known`;
	if (withoutEither === 0) return `${known}: they stay with their commit`;
	if (withoutEither === withoutProject) return `${known}, nor a commit: ${mayBeParted}`;
	return `${known}: ${withoutProject - withoutEither} stay with their commit, ${withoutEither} name none, ${mayBeParted}`;
}

/** What follows where no commit tells which fix belongs to which function. */
export const mayBeParted = 'a function and its fix among them may be parted';

/** One name for one repository: an address, a name and one in other letters are the same. */
function plainName(name: string): string {
	return name
		.trim()
		.toLowerCase()
		.replace(/^(?:[a-z+]+:\/\/[^/]+\/|git@[^:]+:)/, '')
		.replace(/\/+$/, '')
		.replace(/\.git$/, '');
}

/** When a row's commit was made, in milliseconds since 1970; NaN for a date that can't be read, in universal time where it names no zone; undefined where none is known. */
export function dateOf(
	{ date, commit }: Pick<FunctionRow, 'date' | 'commit'>,
	projects: Projects,
): number | undefined {
	const text = date ?? (commit === undefined ? undefined : projects.dateOf.get(commit));
	if (text === undefined) return undefined;
	// what names no year would be taken for one of 2001, and a time without a zone for one of the machine's own
	if (!/\d{4}/.test(text)) return Number.NaN;
	const lacksZone = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/.test(text.trim());
	return Date.parse(lacksZone ? `${text.trim().replace(' ', 'T')}Z` : text);
}
