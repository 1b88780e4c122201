import { existsSync } from 'node:fs';
import { linear, outputMatrixOf } from '@vulntune/engine';
import { loadDataset } from '../data/dataset.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import type { Detector } from '../methods/detector.ts';
import { classLogits } from '../methods/head.ts';
import { functionStates, hiddenStates } from '../objectives/hidden-states.ts';
import type { PackingOptions } from '../packing/options.ts';
import { buildPack, type Pack, withStackedScores } from '../packing/pack.ts';
import { cutFunction } from '../packing/pieces.ts';
import { inArena } from '../scoring/micro-batch.ts';
import type { ScoringOptions } from '../scoring/score-split.ts';
import type { ReadFunctions } from '../scoring/split-data.ts';
import type { Exported } from './open-exported.ts';

/** How far two forms of a detector are apart. */
export interface LogitDifference {
	/** `valid` for functions of the run's validation split, `built-in` where its dataset isn't there. */
	readonly functions: 'valid' | 'built-in';
	readonly count: number;
	/** Of the two classes, or of the whole vocabulary for the next-token objective. */
	readonly logits: number;
	/** Largest difference of any. */
	readonly largest: number;
	/** Largest magnitude of any, to judge it by. */
	readonly magnitude: number;
}

/** Functions to compare with where a run's dataset isn't at hand. */
const builtIn = [
	'int find(int[] values, int wanted) { for (int i = 0; i < values.length; i++) { if (values[i] == wanted) return i; } return -1; }',
	'String query(String name) { return connection.run("select * from users where name = \'" + name + "\'"); }',
	'void copy(char *target, const char *source) { while (*source != 0) { *target++ = *source++; } *target = 0; }',
	'def read(path): return open("/srv/files/" + path).read()',
];

/** Texts of a detector to be compared, as it reads them. */
export async function comparedTexts(
	{ config, run }: Pick<Exported, 'config' | 'run'>,
	count: number,
): Promise<{ readonly functions: LogitDifference['functions']; readonly texts: readonly string[] }> {
	const plain = (text: string) => (config.data.collapseWhitespace ? collapseWhitespace(text) : text);
	if (run === undefined || !existsSync(config.data.path))
		return { functions: 'built-in', texts: builtIn.slice(0, count).map(plain) };
	const { splits } = await loadDataset(config.data.path, { required: ['valid'], onBadRow: 'skip' });
	return { functions: 'valid', texts: splits.valid.slice(0, count).map(({ code }) => plain(code)) };
}

/** Logits of each function by itself, in float32: [F, 2], or [F, V] of what follows the question. */
export function logitsOf(
	detector: Detector,
	{ tokens, stackedScores }: ReadFunctions,
	{ tokens: around, packing }: Pick<ScoringOptions, 'tokens' | 'packing'>,
): Float32Array[] {
	const cut: PackingOptions = { ...packing, largeFunctions: 'truncate' };
	return tokens.map((ids, index) => {
		const pieces = cutFunction(0, ids.length, cut);
		const pack = buildPack(pieces, [ids], around.separator, 'isolated', around);
		return packLogits(detector, withStackedScores(pack, stackedScores?.subarray(index, index + 1)));
	});
}

function packLogits(detector: Detector, pack: Pack): Float32Array {
	const { backend, head, model, parameters } = detector;
	return inArena(backend, 'fp32', { tape: undefined, dropoutSeed: undefined }, (context) => {
		if (head !== undefined) {
			const states = functionStates(context, detector, head.pool, pack, false); // [1, K]
			const logits = classLogits(context, parameters, head, states, pack.stackedScores); // [1, 2]
			return Float32Array.from(backend.download(logits)); // [1, 2]
		}
		const states = hiddenStates(context, detector, pack, false, pack.poolPositions); // [1, H]
		return Float32Array.from(
			backend.download(linear(context, states, { weight: outputMatrixOf(model) })), // [1, V]
		);
	});
}

/** What lies between the logits of two forms of a detector. */
export function logitDifference(
	before: readonly Float32Array[],
	after: readonly Float32Array[],
	functions: LogitDifference['functions'],
): LogitDifference {
	let [largest, magnitude] = [0, 0];
	for (const [f, logits] of before.entries()) {
		for (const [i, value] of logits.entries()) {
			// a NaN on either side must not pass for no difference
			const difference = Math.abs(value - after[f]![i]!);
			largest = Number.isNaN(difference) ? Number.NaN : Math.max(largest, difference);
			magnitude = Math.max(magnitude, Math.abs(value));
		}
	}
	return { functions, count: before.length, logits: before[0]?.length ?? 0, largest, magnitude };
}
