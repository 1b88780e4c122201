import { existsSync } from 'node:fs';
import path from 'node:path';
import { fingerprintParts, type ModelFingerprint, type Precision } from '@vulntune/engine';
import { inputError } from '@vulntune/engine/errors.ts';
import { readSmallFile } from '@vulntune/engine/formats/files.ts';
import { describeJson, parseJsonObject } from '@vulntune/engine/formats/json.ts';
import type { Calibration } from '../metrics/calibrate.ts';
import type { WindowCombination } from '../packing/combine-windows.ts';
import type { PackingOptions } from '../packing/options.ts';
import type { Answers } from './answers.ts';
import type { MethodOptions } from './detector.ts';
import type { HeadOptions } from './head.ts';

/** What a saved detector must be run with to give the numbers that were measured. */
export interface DetectorDescription {
	readonly format: 1;
	/** Folder of the base model. */
	readonly model: string;
	/** Of that base: what the adapter must be run on. Versions before had none. */
	readonly baseFingerprint?: ModelFingerprint;
	/** Bases that the adapter was on before, each left by --allow-other-base; absent where there was none. */
	readonly earlierBases?: readonly ModelFingerprint[];
	readonly method: MethodOptions['type'];
	readonly base: string;
	readonly doubleQuantization: boolean;
	/** Last blocks of the base in which a token also sees those after it; absent where there are none. */
	readonly bidirectionalLayers?: number | undefined;
	/** Of a merged model: how the detector was trained that became it. */
	readonly trained?: { readonly method: string; readonly base: string };
	readonly objective: 'class' | 'nextToken';
	readonly nextToken: { readonly prompt: string; readonly positive: string; readonly negative: string };
	/** What nextToken asks in tokens; undefined for the class objective. The first versions don't have it. */
	readonly answers?: Answers | undefined;
	readonly head: Omit<HeadOptions, 'stacked'>;
	/** Whose score the head sees too; absent where it sees none. */
	readonly stack?: StackDescription;
	readonly collapseWhitespace: boolean;
	readonly sequence: PackingOptions & { readonly windowCombination: WindowCombination };
	readonly precision: Precision;
	/** From validation; null where that had one class only. */
	readonly threshold: number | null;
	/** Fitted on validation with it; absent where that had one class only, and in the first versions. */
	readonly calibration?: Calibration;
	readonly epoch: number;
	readonly seed: number;
}

/** Lies beside what was trained. */
export const DESCRIPTION = 'vulntune.json';
/** Beside an adapter whose head is stacked: the n-grams that it sees the score of. */
export const STACK_FILE = 'ngram-stack.json';

/** n-grams whose log odds a head sees, less their mean and divided by their deviation. */
export interface StackDescription {
	readonly type: 'ngram';
	readonly mean: number;
	readonly deviation: number;
	/** SHA-256 of the file with the n-grams, in hex. */
	readonly hash: string;
}

const isFingerprint = (value: unknown): boolean =>
	isObject(value) && fingerprintParts.every((part) => typeof value[part] === 'string');
const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const isStack = (value: unknown): boolean => {
	if (!isObject(value) || value.type !== 'ngram') return false;
	const { mean, deviation, hash } = value;
	const isScaled = Number.isFinite(mean) && Number.isFinite(deviation) && (deviation as number) > 0;
	return isScaled && typeof hash === 'string' && Object.keys(value).length === 4;
};
const isCalibration = (value: unknown): boolean => {
	if (!isObject(value) || !isObject(value.temperature) || !isObject(value.isotonic)) return false;
	const { temperature, isotonic } = value;
	const { x, y } = isotonic;
	const isMap = Array.isArray(x) && Array.isArray(y) && x.length === y.length && x.length > 0;
	const isPositive = typeof temperature.value === 'number' && temperature.value > 0;
	return isPositive && isMap && [...x, ...y, temperature.threshold, isotonic.threshold].every(isShare);
};

/** What each key holds. Values that are an option of the config as well are checked once more as such. */
const keys: Readonly<
	Record<keyof DetectorDescription, readonly [isRight: (value: unknown) => boolean, expected: string]>
> = {
	format: [(value) => value === 1, 'format 1'],
	model: [isText, 'a path'],
	baseFingerprint: [isFingerprint, 'a fingerprint'],
	earlierBases: [(value) => Array.isArray(value) && value.every(isFingerprint), 'a list of fingerprints'],
	method: [isText, 'a method'],
	base: [isText, 'a type'],
	doubleQuantization: [isFlag, 'true or false'],
	bidirectionalLayers: [isCount, 'a whole number'],
	trained: [
		(value) => isObject(value) && isText(value.method) && isText(value.base),
		'an object with method and base',
	],
	objective: [isText, 'an objective'],
	nextToken: [isObject, 'an object'],
	answers: [isObject, 'an object'],
	head: [isObject, 'an object'],
	stack: [isStack, 'the type ngram with its mean, deviation and hash'],
	collapseWhitespace: [isFlag, 'true or false'],
	sequence: [isObject, 'an object'],
	precision: [isText, 'a precision'],
	threshold: [(value) => value === null || isShare(value), 'a probability or null'],
	calibration: [isCalibration, 'a temperature and an isotonic map, each with its threshold'],
	epoch: [isCount, 'a whole number'],
	seed: [isCount, 'a whole number'],
};

/**
 * undefined where the folder is an adapter that another tool saved. Throws DETECTOR_DESCRIPTION for a key that isn't known, a value that
 * can't be, and where nothing is said of the threshold.
 */
export function readDescription(folder: string): DetectorDescription | undefined {
	const file = path.join(folder, DESCRIPTION);
	if (!existsSync(file)) return undefined;
	const error = (key: string, message: string, remedy: string) =>
		inputError('DETECTOR_DESCRIPTION', message, { place: `${file}: ${key}`, remedy });
	const remedy = 'Train again, or copy the file from the run that made the adapter.';
	const json = parseJsonObject(readSmallFile(file, 1_000_000), {
		code: 'DETECTOR_DESCRIPTION',
		place: file,
		remedy,
	}) as Readonly<Record<string, unknown>>;
	if (json.format !== 1) {
		const found = describeJson(json.format);
		throw error('format', `1 is expected, found ${found}`, 'Use the version of vulntune that wrote it.');
	}
	if (json.threshold === undefined) throw error('threshold', 'a probability or null is expected', remedy);
	for (const [key, value] of Object.entries(json)) {
		const rule = Object.hasOwn(keys, key) ? keys[key as keyof DetectorDescription] : undefined;
		if (rule === undefined) {
			throw error(key, 'no version of vulntune up to this one writes such a key', 'Remove it.');
		}
		if (!rule[0](value)) throw error(key, `${rule[1]} is expected, found ${describeJson(value)}`, remedy);
	}
	return json as unknown as DetectorDescription;
}
