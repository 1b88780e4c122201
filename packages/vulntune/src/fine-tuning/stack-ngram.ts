import { assignGroups } from '../audit/assign-groups.ts';
import { NEAR } from '../audit/duplicates.ts';
import { countUnnamed, describeWithoutProject, readProjects, type UnnamedRows } from '../audit/projects.ts';
import { clustersOf } from '../audit/row-groups.ts';
import type { Stoppable } from '../baselines/ngram/model.ts';
import { type NgramSelection, selectNgram } from '../baselines/ngram/select.ts';
import { fitStack, nothingToStack, stackedScores } from '../baselines/ngram/stack.ts';
import { writtenStack } from '../baselines/ngram/stack-file.ts';
import type { Config } from '../config/schema.ts';
import type { FunctionRow } from '../data/row.ts';
import { textRows } from '../evaluation/evaluated-rows.ts';
import type { StackDescription } from '../methods/description.ts';
import type { PreparedData } from '../scoring/prepare-data.ts';
import { requireBothClasses } from './training-rows.ts';

/** A run's data with what a stacked head sees of each function. */
export interface StackedData {
	readonly data: PreparedData;
	/** undefined where the head is not stacked. */
	readonly ngram: SeenNgram | undefined;
}

/** The n-grams of all training rows, which score all others: as they are written, and how they were chosen. */
export interface SeenNgram extends ReturnType<typeof writtenStack> {
	readonly selection: NgramSelection;
}

/** Parts of the training rows, each of which is scored by n-grams of the others. */
const FOLDS = 5;

/** How training rows are dealt to be scored. */
export interface StackFolds {
	/** [rows] the fold in which each is scored: no project, commit or near-duplicate is parted. */
	readonly foldOf: Int32Array;
	readonly unnamed: UnnamedRows;
	/** From which on two are near-duplicates. */
	readonly similarity: number;
}

/**
 * Deals the training rows to the folds in which they are scored.
 *
 * Throws STACK_FOLDS where a fold leaves rows of one class alone.
 *
 * @param rows of training
 */
export function stackFolds({ data, method, training }: Config, rows: readonly FunctionRow[]): StackFolds {
	const projects = readProjects(data.projects);
	const clusterOf = clustersOf(rows, projects, method.stackSimilarity);
	const labels = rows.map(({ label }) => label);
	const foldOf = assignGroups(clusterOf, labels, new Array<number>(FOLDS).fill(1 / FOLDS), training.seed);
	for (const fold of new Set(foldOf)) {
		const others = new Set(labels.filter((_, row) => foldOf[row] !== fold));
		if (others.size === 2) continue;
		const heldOut = foldOf.filter((own) => own === fold).length;
		const message = `without the ${heldOut} training functions of a fold there are none of both classes to fit n-grams on`;
		throw nothingToStack(message);
	}
	return { foldOf, unnamed: countUnnamed(rows, projects), similarity: method.stackSimilarity };
}

/** How the training rows are scored, in a line. */
export function describeStackFolds({ foldOf, unnamed, similarity }: StackFolds): string {
	const isNamed = (without: number) => without < foldOf.length;
	const kinds = [
		...(isNamed(unnamed.withoutProject) ? ['projects'] : []),
		...(isNamed(unnamed.withoutCommit) ? ['commits'] : []),
	];
	const kept = kinds.length === 0 ? 'near-duplicates' : `${kinds.join(', ')} and near-duplicates`;
	const apart = describeWithoutProject(unnamed);
	const alike = similarity === NEAR ? '' : ` (from a similarity of ${similarity} on)`;
	const folds = `${new Set(foldOf).size} folds, each by n-grams without its ${kept}${alike}`;
	return `the head sees n-grams of ${foldOf.length} training functions; these are scored in ${folds}${apart === undefined ? '' : `; ${apart}`}`;
}

/** What a run must say that goes on with a stacked head whose n-grams were others; undefined where they are the same. */
export function describeRefit(
	own: StackDescription | undefined,
	start: StackDescription | undefined,
): string | undefined {
	if (own === undefined || start === undefined) return undefined;
	if (own.hash !== start.hash) {
		return 'the n-grams that the head sees are fitted anew on these training functions: those of the adapter in method.from were fitted on others, so its scores change before it has learnt anything';
	}
	if (own.mean === start.mean && own.deviation === start.deviation) return undefined;
	return "the n-grams that the head sees are those of the adapter in method.from, their scores in units of this run's folds";
}

/**
 * Puts the n-grams' score beside every function where `method.stack` asks for it: of a training row from n-grams without its fold, of
 * all others from those of all training rows, whose C validation chooses.
 *
 * Throws TRAIN_ONE_CLASS, STACK_FOLDS.
 *
 * @returns undefined where it was stopped
 */
export function stackOnNgram(
	config: Config,
	data: PreparedData,
	{ note, stop }: Stoppable & { readonly note: (line: string) => void },
): StackedData | undefined {
	if (config.method.stack === null) return { data, ngram: undefined };
	const { train, valid, test } = data.splits;
	requireBothClasses(train.rows);
	const read = (rows: readonly FunctionRow[]) => textRows(rows, config.data.collapseWhitespace);
	const textsOf = (rows: readonly FunctionRow[]) => read(rows).map(({ text }) => text);
	const folds = stackFolds(config, train.rows);
	note(describeStackFolds(folds));
	const selection = selectNgram(read(train.rows), read(valid.rows), { stop });
	if (selection === undefined) return undefined;
	const fitted = fitStack(selection.model, read(train.rows), folds.foldOf, { stop });
	if (fitted === undefined) return undefined;
	const { stack, scores } = fitted;
	const splits = {
		train: { ...train, stackedScores: scores },
		valid: { ...valid, stackedScores: stackedScores(stack, textsOf(valid.rows)) },
		test: { ...test, stackedScores: stackedScores(stack, textsOf(test.rows)) },
	};
	return { data: { ...data, splits }, ngram: { ...writtenStack(stack), selection } };
}
