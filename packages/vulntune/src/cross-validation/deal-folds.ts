import { inputError } from '@vulntune/engine';
import { joinSplits } from '../audit/join-splits.ts';
import { countUnnamed, describeWithoutProject, type Projects, readProjects } from '../audit/projects.ts';
import { clustersOf } from '../audit/row-groups.ts';
import type { Config } from '../config/schema.ts';
import { type Dataset, loadDataset, splitNames } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { leftOutLines } from '../data/summary.ts';
import { requireBothClasses } from '../fine-tuning/training-rows.ts';
import { identityHash, trainingIdentity } from '../run/identity.ts';
import { type FoldFolder, foldFolder } from './fold-folder.ts';
import { type FoldPlan, planFolds } from './plan-folds.ts';

export interface CrossValidationRequest {
	readonly config: Config;
	readonly folds: number;
	readonly repeats: number;
	/** From which Jaccard similarity on two functions are near-duplicates. */
	readonly similarity: number;
}

/** The rows of a dataset, dealt to folds. */
export interface DealtFolds {
	readonly dataset: Dataset;
	readonly projects: Projects;
	/** Of all splits. */
	readonly rows: readonly FunctionRow[];
	/** [rows] what is never parted. */
	readonly clusterOf: Int32Array;
	/** [repeats] */
	readonly plans: readonly FoldPlan[];
	/** [repeats, folds] */
	readonly foldersOf: readonly (readonly FoldFolder[])[];
	/** Equal for what may go on in one folder. */
	readonly identity: string;
}

/** Reads the dataset of a config and deals its rows. Throws CROSS_VALIDATION_FROM, CROSS_VALIDATION_FOLDS, TRAIN_ONE_CLASS. */
export async function dealFolds(
	request: CrossValidationRequest,
	note: (line: string) => void,
): Promise<DealtFolds> {
	const { config, folds, repeats } = request;
	refuseStartAdapter(config);
	const projects = readProjects(config.data.projects);
	const dataset = await loadDataset(config.data.path, {
		...{ onBadRow: config.data.onBadRow, required: [], optional: splitNames },
	});
	for (const line of leftOutLines(dataset.leftOut)) note(`left out ${line}`);
	const { rows } = joinSplits(dataset.splits);
	requireBothClasses(rows);
	const clusterOf = clustersOf(rows, projects, request.similarity);
	const labels = rows.map(({ label }) => label);
	const plans = Array.from({ length: repeats }, (_, repeat) =>
		planFolds(clusterOf, labels, folds, config.training.seed + repeat),
	);
	const foldersOf = plans.map((_, repeat) =>
		Array.from({ length: folds }, (__, fold) => foldFolder(config.output, repeat, fold)),
	);
	const identity = identityOf(request, dataset.hash, projects);
	return { dataset, projects, rows, clusterOf, plans, foldersOf, identity };
}

/** An adapter has seen rows of which nobody can say whether a fold holds them out. */
function refuseStartAdapter({ method: { from } }: Config): void {
	if (from === null) return;
	throw inputError(
		'CROSS_VALIDATION_FROM',
		'what an adapter was trained on may be what a fold holds out: none is started from here',
		{ place: 'method.from', remedy: 'Leave method.from out.' },
	);
}

function identityOf(
	{ config, folds, repeats, similarity }: CrossValidationRequest,
	datasetHash: string,
	projects: Projects,
): string {
	const identity = trainingIdentity(config, { datasetHash, base: undefined, start: undefined });
	return identityHash({
		...identity,
		...{
			folds: String(folds),
			repeats: String(repeats),
			similarity: String(similarity),
			projects: projects.hash,
		},
		model: config.method.type === 'ngram' ? '' : config.model,
	});
}

/** How the rows are dealt, in a line. */
export function describeDeal({ rows, clusterOf, projects, plans, foldersOf }: DealtFolds): string {
	const clusters = new Set(clusterOf).size;
	const apart = describeWithoutProject(countUnnamed(rows, projects));
	const times = plans.length > 1 ? ` ${plans.length} times` : '';
	const dealt = `dealt to ${foldersOf[0]!.length} folds${times}`;
	return `${rows.length} functions in ${clusters} groups of projects and near-duplicates, ${dealt}${apart === undefined ? '' : `; ${apart}`}`;
}
