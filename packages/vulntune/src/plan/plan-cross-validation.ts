import { existsSync } from 'node:fs';
import { countUnnamed, describeWithoutProject, type UnnamedRows } from '../audit/projects.ts';
import { configured } from '../audit/training-dataset.ts';
import type { Config } from '../config/schema.ts';
import { type CrossValidationRequest, type DealtFolds, dealFolds } from '../cross-validation/deal-folds.ts';
import { foldConfig, foldSplits } from '../cross-validation/fold-folder.ts';
import { checkFolder } from '../cross-validation/run-cross-validation.ts';
import type { Dataset } from '../data/dataset.ts';
import { runFolder } from '../run/run-folder.ts';
import { aboutDuration, formatNumber } from '../terminal/format.ts';
import { type NgramPlan, planNgram, renderNgramPlan } from './plan-ngram.ts';
import { planTraining, type TrainingPlan } from './plan-training.ts';
import { renderPlan } from './render-plan.ts';

/** What `cross-validate --dry-run` prints: the folds, and what their runs take. */
export interface CrossValidationPlan extends UnnamedRows {
	readonly schema: 'vulntune.crossValidationPlan/1';
	readonly functions: number;
	/** Groups of rows that are never parted. */
	readonly groups: number;
	readonly folds: number;
	readonly repeats: number;
	/** Functions of each fold of the first repeat. */
	readonly byFold: readonly { readonly train: number; readonly valid: number; readonly test: number }[];
	/** One for each fold of each repeat, and those that are done. */
	readonly runs: number;
	readonly finished: number;
	/** Of the fold of the first repeat whose run takes the most memory, and its number from 1. */
	readonly largest: { readonly fold: number; readonly plan: TrainingPlan | NgramPlan };
	/** Of all runs that are left, by those of the first repeat; null where nothing says how fast they are. */
	readonly seconds: number | null;
	readonly output: string;
}

/**
 * Plans the runs of a cross-validation without training any. Throws what `crossValidate` throws before its first run, and what
 * `planTraining` throws.
 */
export async function planCrossValidation(
	request: CrossValidationRequest,
	note: (line: string) => void,
): Promise<CrossValidationPlan> {
	const { config, folds, repeats } = request;
	const dealt = await dealFolds(request, note);
	checkFolder(config.output, dealt.identity);
	const plans: (TrainingPlan | NgramPlan)[] = [];
	const byFold: CrossValidationPlan['byFold'][number][] = [];
	for (let fold = 0; fold < folds; fold++) {
		const { config: own, dataset } = foldRun(request, dealt, fold);
		const { train, valid, test } = dataset.splits;
		byFold.push({ train: train.length, valid: valid.length, test: test.length });
		// what is said of the base and of the machine is the same for all
		const options = { allowOtherBase: false, note: fold === 0 ? note : () => {}, dataset };
		plans.push(await (own.method.type === 'ngram' ? planNgram(own, options) : planTraining(own, options)));
	}
	const bytes = plans.map((plan) => ('memoryBytes' in plan ? plan.memoryBytes.total : 0));
	const largest = bytes.indexOf(Math.max(...bytes));
	const runs = folds * repeats;
	const finished = dealt.foldersOf.flat().filter(({ run }) => existsSync(runFolder(run).comparison)).length;
	const seconds = plans.map((plan) => ('seconds' in plan ? plan.seconds?.total : undefined));
	const total = seconds.reduce<number>((sum, one) => sum + (one ?? Number.NaN), 0);
	return {
		schema: 'vulntune.crossValidationPlan/1',
		functions: dealt.rows.length,
		groups: new Set(dealt.clusterOf).size,
		...countUnnamed(dealt.rows, dealt.projects),
		...{ folds, repeats, byFold, runs, finished },
		largest: { fold: largest + 1, plan: plans[largest]! },
		seconds: Number.isNaN(total) ? null : (total / folds) * (runs - finished),
		output: config.output,
	};
}

/** The run of a fold of the first repeat, and the rows that it would read. */
function foldRun(
	{ config, similarity }: CrossValidationRequest,
	{ dataset, rows, plans, projects, foldersOf }: DealtFolds,
	fold: number,
): { readonly config: Config; readonly dataset: Dataset } {
	const own = foldConfig(config, foldersOf[0]![fold]!, { repeat: 0, similarity });
	const splits = foldSplits(rows, plans[0]!.parts[fold]!, projects);
	return { config: own, dataset: configured({ ...dataset, splits }, own.data) };
}

/** The plan for people. */
export function renderCrossValidationPlan(plan: CrossValidationPlan): string {
	const { functions, groups, folds, repeats, byFold, runs, finished, largest, seconds, output } = plan;
	const apart = describeWithoutProject(plan);
	const isNgram = largest.plan.method === 'ngram';
	const done = finished === 0 ? '' : `, ${finished} of them done`;
	const lines: (readonly [string, string])[] = [
		[
			'rows',
			`${formatNumber(functions)} functions in ${formatNumber(groups)} groups of projects and near-duplicates`,
		],
		...(apart === undefined ? [] : [['', apart] as const]),
		['folds', `${folds}, each held out once${repeats > 1 ? `, ${repeats} times` : ''}: ${runs} runs${done}`],
		...byFold.map(
			({ train, valid, test }, fold) =>
				[
					`fold ${fold + 1}`,
					`${formatNumber(train)} functions to learn from, ${formatNumber(valid)} to choose by, ${formatNumber(test)} held out`,
				] as const,
		),
		...(finished === runs
			? [['time', 'none: no run is left'] as const]
			: seconds === null
				? []
				: [['time', `${aboutDuration(seconds)} for the runs that are left`] as const]),
		['output', output],
	];
	const which = isNgram
		? `The run of fold ${largest.fold}:`
		: `The run of fold ${largest.fold}, which takes the most memory:`;
	return [
		...lines.map(([name, text]) => `${name.padEnd(10)}${text}`),
		'',
		which,
		'',
		largest.plan.method === 'ngram'
			? renderNgramPlan(largest.plan as NgramPlan)
			: renderPlan(largest.plan as TrainingPlan),
	].join('\n');
}
