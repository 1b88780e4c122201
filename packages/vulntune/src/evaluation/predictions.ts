import { readFile } from 'node:fs/promises';
import { inputError } from '@vulntune/engine';
import { fileErrorReason } from '@vulntune/engine/formats/file-errors.ts';
import { found } from '../config/fault-text.ts';
import { parseJson } from '../data/parse-json.ts';
import { saysNothing } from '../data/row.ts';

/** One line of a predictions file. */
export interface Prediction {
	readonly id: string | number;
	readonly label: 0 | 1;
	/** Of vulnerable, 0 to 1; null where the function could not be scored, and then `missing` says why. */
	readonly probability: number | null;
	readonly missing?: string | undefined;
	/** The fix commit: what the bootstrap draws together. */
	readonly commit?: string | undefined;
	/** The weakness, `CWE-79`. */
	readonly cwe?: string | undefined;
	/** Such as `FIXED` or `NOT_VULNERABLE`: the vulnerable ones are measured against each apart. */
	readonly status?: string | undefined;
	/** With the commit, what tells which vulnerable function a fixed one was. */
	readonly functionName?: string | undefined;
	/** What the bootstrap draws together instead of commits: a group of a cross-validation's folds. */
	readonly cluster?: string | undefined;
	/** Which fold of a cross-validation the function was held out in. */
	readonly fold?: number | undefined;
	/** Of the run that made it, from its validation split: vulnerable means probability >= threshold. */
	readonly threshold?: number | undefined;
}

const example = '{"id": "42", "label": 1, "probability": 0.73}';

/**
 * Predictions from the text of a JSONL file. Empty lines are skipped; unknown keys are ignored.
 * @param name named in errors, as `predictions.jsonl:7`
 * @throws VulntuneError `PREDICTIONS_INVALID` with the line of the first fault; `PREDICTIONS_EMPTY`
 */
export function parsePredictions(text: string, name: string): Prediction[] {
	const predictions: Prediction[] = [];
	const places: number[] = [];
	const lineOf = new Map<string, number>();
	for (const [index, line] of text
		.replace(/^\uFEFF/, '')
		.split('\n')
		.entries()) {
		if (line.trim() === '') continue;
		const refuse = (message: string) =>
			inputError('PREDICTIONS_INVALID', message, {
				place: `${name}:${index + 1}`,
				remedy: `Each line is an object such as ${example}.`,
			});
		const prediction = parsePrediction(line, refuse);
		const earlier = lineOf.get(String(prediction.id));
		if (earlier !== undefined) {
			throw refuse(`the id ${JSON.stringify(prediction.id)} is already on line ${earlier}`);
		}
		lineOf.set(String(prediction.id), index + 1);
		predictions.push(prediction);
		places.push(index + 1);
	}
	if (predictions.length === 0) {
		throw inputError('PREDICTIONS_EMPTY', 'expected one prediction per line, found none', {
			place: name,
			remedy: `Each line is an object such as ${example}.`,
		});
	}
	requireAlike(predictions, places, name);
	return predictions;
}

/** What a run or a cross-validation says of all its lines; what else a line has is its function's own. */
const keysOfAll = ['threshold', 'fold', 'cluster'] as const;

/** Throws PREDICTIONS_INVALID for a scored line that lacks what others have: it would be measured otherwise than they are, unseen. */
function requireAlike(predictions: readonly Prediction[], places: readonly number[], name: string): void {
	const scored = [...predictions.keys()].filter((i) => predictions[i]!.probability !== null);
	for (const key of keysOfAll) {
		const lacking = scored.find((i) => predictions[i]![key] === undefined);
		const having = scored.find((i) => predictions[i]![key] !== undefined);
		if (lacking === undefined || having === undefined) continue;
		throw inputError('PREDICTIONS_INVALID', `no ${key}, but line ${places[having]} has one`, {
			place: `${name}:${places[lacking]}`,
			remedy: `Give all lines a ${key}, or none: lines of several files are measured file by file.`,
		});
	}
}

function parsePrediction(line: string, refuse: (message: string) => Error): Prediction {
	let row: unknown;
	try {
		row = parseJson(line);
	} catch (error) {
		throw refuse(`broken JSON: ${(error as Error).message}`);
	}
	if (typeof row !== 'object' || row === null || Array.isArray(row)) {
		throw refuse('expected an object with id, label and probability');
	}
	const fields = row as Record<string, unknown>;
	for (const key of ['id', 'label', 'probability']) {
		if (!Object.hasOwn(fields, key)) throw refuse(`the key "${key}" is missing`);
	}
	const { id, label, probability, fold, threshold } = fields;
	if (!(typeof id === 'string' && id !== '') && !(typeof id === 'number' && Number.isFinite(id))) {
		throw refuse(`id: expected a text or a number, found ${found(id)}`);
	}
	if (label !== 0 && label !== 1) throw refuse(`label: expected 0 or 1, found ${found(label)}`);
	const textOf = (key: string): string | undefined => {
		const value = fields[key];
		if (value === undefined || value === null) return undefined;
		if (typeof value !== 'string') throw refuse(`${key}: expected a text, found ${JSON.stringify(value)}`);
		return saysNothing(value) ? undefined : value;
	};
	const texts = {
		missing: textOf('missing'),
		commit: textOf('commit'),
		cwe: textOf('cwe'),
		functionName: textOf('function_name'),
		status: textOf('status'),
		cluster: textOf('cluster'),
	};
	if (probability === null) {
		if (texts.missing === undefined) {
			throw refuse('probability: null needs "missing" with the reason why the function was not scored');
		}
	} else if (!isShare(probability)) {
		throw refuse(`probability: expected a number from 0 to 1, found ${found(probability)}`);
	}
	if (threshold !== undefined && threshold !== null && !isShare(threshold)) {
		throw refuse(`threshold: expected a number from 0 to 1, found ${found(threshold)}`);
	}
	if (fold !== undefined && fold !== null && !Number.isSafeInteger(fold)) {
		throw refuse(`fold: expected a whole number, found ${found(fold)}`);
	}
	return {
		id,
		label,
		probability,
		...texts,
		...(typeof fold === 'number' ? { fold } : {}),
		...(typeof threshold === 'number' ? { threshold } : {}),
	};
}

function isShare(value: unknown): value is number {
	return typeof value === 'number' && value >= 0 && value <= 1;
}

const lineKeys = [
	...['id', 'label', 'probability', 'missing', 'commit', 'cwe', 'function_name'],
	...['status', 'cluster', 'fold', 'threshold'],
];

/** Whether a line is one that `formatPredictions` writes: no row of a dataset, which has keys of its own. */
export function isPredictionLine(line: string): boolean {
	try {
		parsePrediction(line, (message) => new Error(message));
		return Object.keys(JSON.parse(line)).every((key) => lineKeys.includes(key));
	} catch {
		return false;
	}
}

/** One JSON object per line: id, label, probability, then what else is known. */
export function formatPredictions(predictions: readonly Prediction[]): string {
	return predictions
		.map(
			({ id, label, probability, missing, commit, cwe, functionName, status, cluster, fold, threshold }) => {
				if (probability !== null && !isShare(probability)) {
					throw inputError(
						'PREDICTIONS_INVALID',
						`expected a probability from 0 to 1, found ${probability}`,
						{
							place: `function ${id}`,
							remedy: 'Scoring went wrong: look at that function and at the loss.',
						},
					);
				}
				const known = { missing, commit, cwe, function_name: functionName, status, cluster, fold, threshold };
				const line = { id, label, probability, ...known };
				return `${JSON.stringify(line)}\n`;
			},
		)
		.join('');
}

/** @throws VulntuneError `PREDICTIONS_UNREADABLE`, `PREDICTIONS_INVALID` with the line, `PREDICTIONS_EMPTY` */
export async function readPredictions(path: string): Promise<Prediction[]> {
	const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
		const message =
			cause.code === 'ENOENT'
				? 'the predictions file does not exist'
				: `cannot be read: ${fileErrorReason(cause)}`;
		throw inputError('PREDICTIONS_UNREADABLE', message, {
			place: path,
			remedy: 'Give a JSONL file with one prediction per line, as a run folder holds it.',
			cause,
		});
	});
	return parsePredictions(text, path);
}
