import { loadTokenizer, uniform } from '@vulntune/engine';
import {
	buildPack,
	loadDataset,
	type Pack,
	type PackingOptions,
	type PackLabels,
	packEpoch,
	tokenizeRows,
} from 'vulntune';

export interface LabelledPack {
	readonly pack: Pack;
	readonly targets: PackLabels;
}

/** What a step of ours runs on. */
export interface StepPacks {
	readonly packs: readonly LabelledPack[];
	/** What tokenising and packing the whole training split took; undefined for random functions. */
	readonly preparation: EpochPreparation | undefined;
}

export interface EpochPreparation {
	readonly seconds: number;
	readonly tokens: number;
}

/** Packs of a run, repeated when they are used up. */
const PACKS = 8;
const FIRST_ID = 3;
/** Longest of the `short` functions. */
export const SHORT_FUNCTION = 300;

/** Tokens of 32 functions: quantiles of the training split of X1 without P3, those above 511 left out. */
export const MIXED_LENGTHS: readonly number[] = [
	25, 40, 52, 62, 69, 79, 90, 97, 106, 111, 118, 130, 137, 147, 162, 173, 185, 200, 216, 229, 244, 259, 275,
	292, 314, 337, 360, 388, 424, 451, 468, 493,
];

/**
 * Full packs of real functions where model and dataset are there, else of random tokens in functions of 40 to 300.
 *
 * @param longest longer functions are left out
 */
export async function functionPacks(
	length: number,
	model: string | undefined,
	dataset: string | undefined,
	vocabularySize: number,
	longest = length,
): Promise<StepPacks> {
	const isReal = model !== undefined && dataset !== undefined;
	const functions = isReal ? await realFunctions(model, dataset) : randomFunctions(length, vocabularySize);
	const start = performance.now();
	const all = packsOf(functions, length, longest);
	const seconds = (functions.milliseconds + performance.now() - start) / 1000;
	const tokens = all.reduce((sum, { pack }) => sum + pack.inputIds.length, 0);
	return {
		packs: all.filter(({ pack }) => pack.inputIds.length >= 0.97 * length).slice(0, PACKS),
		preparation: isReal ? { seconds, tokens } : undefined,
	};
}

/** Functions of the mixed lengths in packs of at most `length` tokens, every one of them. */
export function mixedPacks(length: number, vocabularySize: number): LabelledPack[] {
	const tokens = MIXED_LENGTHS.map((count, index) => randomIds(index + 1, count, vocabularySize));
	return packsOf({ tokens, labels: tokens.map(() => 0), separator: 2, milliseconds: 0 }, length, length);
}

function packsOf({ tokens, labels, separator }: Functions, length: number, longest: number): LabelledPack[] {
	const options: PackingOptions = {
		length,
		packing: 'isolated',
		order: 'bestFit',
		maxFunctions: 10_000,
		largeFunctions: 'ignore',
	};
	const lengths = tokens.map((ids) => (ids.length <= longest ? ids.length : Number.MAX_SAFE_INTEGER));
	const { packs } = packEpoch(lengths, options, 1, 1);
	return packs.map((pieces) => {
		const pack = buildPack(pieces, tokens, separator, 'isolated');
		return labelled(
			pack,
			Int32Array.from(pack.functionIndex, (index) => labels[index]!),
		);
	});
}

/** `count` functions of equal length, as the peers get them. */
export function equalPacks(length: number, count: number, vocabularySize: number): LabelledPack[] {
	const ids = randomIds(0, length - 1, vocabularySize);
	const tokens = Array.from({ length: count }, () => ids);
	const pieces = tokens.map((_, functionIndex) => ({
		functionIndex,
		start: 0,
		end: length - 1,
		windowIndex: 0,
		windowCount: 1,
		suffixLength: 0,
	}));
	const pack = buildPack(pieces, tokens, 2, 'isolated');
	return [labelled(pack, new Int32Array(count))];
}

function labelled(pack: Pack, labels: Int32Array): LabelledPack {
	return { pack, targets: { labels, weights: new Float32Array(labels.length).fill(1) } };
}

interface Functions {
	readonly tokens: readonly Int32Array[];
	readonly labels: readonly number[];
	readonly separator: number;
	/** What tokenising took. */
	readonly milliseconds: number;
}

async function realFunctions(model: string, dataset: string): Promise<Functions> {
	const tokenizer = loadTokenizer(model);
	const { splits } = await loadDataset(dataset, { required: ['train'] });
	const labels = splits.train.map(({ label }) => label);
	const start = performance.now();
	const tokens = await tokenizeRows(splits.train, tokenizer, { collapseWhitespace: true });
	const milliseconds = performance.now() - start;
	return { tokens, labels, separator: tokenizer.separatorId ?? 2, milliseconds };
}

function randomFunctions(length: number, vocabularySize: number): Functions {
	const functions = Math.ceil((PACKS * length) / 100);
	const tokens = Array.from({ length: functions }, (_, index) =>
		randomIds(index + 1, Math.floor(40 + 260 * uniform(1, 0, index)), vocabularySize),
	);
	return { tokens, labels: tokens.map((_, index) => index % 2), separator: 2, milliseconds: 0 };
}

function randomIds(stream: number, length: number, vocabularySize: number): Int32Array {
	const range = vocabularySize - FIRST_ID;
	return Int32Array.from({ length }, (_, i) => FIRST_ID + Math.floor(range * uniform(1, stream + 1, i)));
}
