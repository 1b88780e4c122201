import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { fileError, inputError } from '@vulntune/engine';
import type { ConfigOverrides } from '../config/overrides.ts';
import { loadDataset, type SplitName } from '../data/dataset.ts';
import type { Attribution } from '../explanation/attribute-tokens.ts';
import type { LineScore } from '../explanation/line-scores.ts';
import { linesOf } from '../explanation/token-lines.ts';
import { findAdapter } from './evaluated-adapter.ts';
import { openScorer, requireFunction, stackHasNoLines } from './scorer.ts';

/** A function with its lines scored: what `vulntune explain --json` prints. */
export interface Explanation {
	readonly schema: 'vulntune.explanation/1';
	/** The file with its lines, or the split and id. */
	readonly place: string;
	readonly probability: number;
	readonly threshold: number | null;
	readonly method: Attribution;
	/** What the function is scored by too, but its lines are not: the n-grams that a stacked head sees; null where that is nothing. */
	readonly linesLeaveOut: 'ngram' | null;
	readonly lines: readonly LineScore[];
}

/** A file with a function. */
export interface FileSource {
	readonly file: string;
	/** Those of the function; undefined: the whole file. */
	readonly lines: readonly [from: number, to: number] | undefined;
}

/** A function of a dataset. */
export interface RowSource {
	readonly id: string;
	/** undefined: the run's own. */
	readonly data: string | undefined;
	readonly split: SplitName;
}

/** What is explained, and how. */
export interface ExplainOptions {
	readonly run: string;
	readonly source: FileSource | RowSource;
	/** undefined: attention for an encoder, the gradient for a decoder. */
	readonly method: Attribution | undefined;
	readonly overrides: ConfigOverrides;
	readonly allowOtherBase: boolean;
}

/**
 * Scores a function and its lines with a run.
 *
 * Throws what `openScorer` throws, FILE_NOT_TEXT, FUNCTION_EMPTY, FUNCTION_NOT_FOUND, USAGE for lines that the file doesn't have.
 */
export async function explainFunction(
	{ run, source, method, overrides, allowOtherBase }: ExplainOptions,
	note: (line: string) => void,
): Promise<Explanation> {
	const { code, place, firstLine } = 'file' in source ? readFile(source) : await readRow(run, source);
	requireFunction(code, place, 'Name a file, or lines of one, that hold a function.');
	const scorer = await openScorer(run, { overrides, allowOtherBase, note });
	try {
		if (scorer.isStacked) note(stackHasNoLines);
		const used = method ?? (scorer.isEncoder ? 'attention' : 'gradient');
		const [lines] = await scorer.explain([code], used);
		const { value: probability } = await scorer.score([code]).next();
		return {
			schema: 'vulntune.explanation/1',
			place,
			probability: probability as number,
			threshold: scorer.threshold,
			method: used,
			linesLeaveOut: scorer.isStacked ? 'ngram' : null,
			lines: lines!.map((line) => ({ ...line, number: line.number + firstLine - 1 })),
		};
	} finally {
		scorer.free();
	}
}

interface Source {
	readonly code: string;
	readonly place: string;
	readonly firstLine: number;
}

function readFile({ file, lines }: FileSource): Source {
	let bytes: Buffer;
	try {
		bytes = readFileSync(file);
	} catch (error) {
		throw fileError(error, file, 'read');
	}
	if (!isUtf8(bytes)) {
		throw inputError('FILE_NOT_TEXT', 'the file is not text in UTF-8', {
			place: file,
			remedy: 'Give a source file; one in another encoding is to be saved as UTF-8.',
		});
	}
	const whole = bytes.toString('utf8').replace(/^\uFEFF/, '');
	// what ends the last line begins no other
	const text = whole.replace(/(\r\n|\r|\n)$/, '');
	if (lines === undefined) return { code: text, place: file, firstLine: 1 };
	const [from, to] = lines;
	const all = linesOf(text);
	if (to > all.length) {
		throw inputError('USAGE', `--lines asks for lines up to ${to}, and the file has ${all.length}`, {
			place: file,
		});
	}
	return { code: all.slice(from - 1, to).join('\n'), place: `${file}:${from}-${to}`, firstLine: from };
}

async function readRow(run: string, { id, data, split }: RowSource): Promise<Source> {
	const { config } = findAdapter(run, data);
	const { onBadRow } = config.data;
	const { splits, location } = await loadDataset(data ?? config.data.path, { required: [split], onBadRow });
	const row = splits[split].find((one) => String(one.id) === id);
	if (row !== undefined) return { code: row.code, place: `${split} ${id}`, firstLine: 1 };
	throw inputError('FUNCTION_NOT_FOUND', `no function of ${split}.jsonl has the id ${id}`, {
		place: location,
		remedy:
			'Ids are those of the predictions: id or idx of the row, else its line number. Other rows: --split.',
	});
}
