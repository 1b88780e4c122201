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

/** Packs of a run, repeated when they are used up. */
const PACKS = 8;
const FIRST_ID = 3;

/**
 * Full packs of real functions where model and dataset are there, else of random tokens in functions of 40 to 300.
 */
export async function functionPacks(
	length: number,
	model: string | undefined,
	dataset: string | undefined,
	vocabularySize: number,
): Promise<LabelledPack[]> {
	const { tokens, labels, separator } =
		model === undefined || dataset === undefined
			? randomFunctions(length, vocabularySize)
			: await realFunctions(model, dataset);
	const options: PackingOptions = {
		length,
		packing: 'isolated',
		order: 'bestFit',
		maxFunctions: 200,
		largeFunctions: 'ignore',
	};
	const { packs } = packEpoch(
		tokens.map((ids) => ids.length),
		options,
		1,
		1,
	);
	return packs
		.map((pieces) => buildPack(pieces, tokens, separator, 'isolated'))
		.filter((pack) => pack.inputIds.length >= 0.97 * length)
		.slice(0, PACKS)
		.map((pack) =>
			labelled(
				pack,
				Int32Array.from(pack.functionIndex, (index) => labels[index]!),
			),
		);
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
}

async function realFunctions(model: string, dataset: string): Promise<Functions> {
	const tokenizer = loadTokenizer(model);
	const { splits } = await loadDataset(dataset, { required: ['train'] });
	const tokens = await tokenizeRows(splits.train, tokenizer, { collapseWhitespace: true });
	return { tokens, labels: splits.train.map(({ label }) => label), separator: tokenizer.separatorId ?? 2 };
}

function randomFunctions(length: number, vocabularySize: number): Functions {
	const functions = Math.ceil((PACKS * length) / 100);
	const tokens = Array.from({ length: functions }, (_, index) =>
		randomIds(index + 1, Math.floor(40 + 260 * uniform(1, 0, index)), vocabularySize),
	);
	return { tokens, labels: tokens.map((_, index) => index % 2), separator: 2 };
}

function randomIds(stream: number, length: number, vocabularySize: number): Int32Array {
	const range = vocabularySize - FIRST_ID;
	return Int32Array.from({ length }, (_, i) => FIRST_ID + Math.floor(range * uniform(1, stream + 1, i)));
}
