import type { Precision } from '@vulntune/engine';
import { loadConfiguredDataset } from '../audit/training-dataset.ts';
import type { Config } from '../config/schema.ts';
import type { SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import {
	type EvaluationOptions,
	keptScores,
	lineMethods,
	namesBackend,
	openEvaluation,
	readEvaluated,
} from '../evaluation/evaluate-run.ts';
import { openEvaluationBackend } from '../evaluation/evaluated-base.ts';
import { untunedDetector, type ZeroShotOptions, zeroShotConfig } from '../evaluation/zero-shot.ts';
import { type Base, openBase } from '../model/open-base.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { detectorOptions, savedConfig } from '../scoring/configured-detector.ts';
import { tokenizedSplit } from '../scoring/prepare-data.ts';
import { type ScoringOptions, scoringPacking } from '../scoring/score-split.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import type { SplitData } from '../scoring/split-data.ts';
import { estimateFlops } from '../sizing/estimates.ts';
import { measureFlops } from '../sizing/measure-speed.ts';
import { shapeOf } from '../sizing/model-shape.ts';
import { aboutDuration, formatBytes, formatNumber } from '../terminal/format.ts';
import type { RehearsedWork } from '../training/rehearse.ts';
import { packsOfSizes, scoredPacks } from '../training/rehearsed-run.ts';
import { availableBytes, neededBy, type RunMemory } from '../training/run-memory.ts';

/** What `evaluate --dry-run` prints: what would be scored, and what that takes. */
export interface ScoringPlan {
	readonly schema: 'vulntune.scoringPlan/1';
	/** `zero-shot`, or the method of the run. */
	readonly method: string;
	/** null for n-grams, which have no model: nothing below but the rows is known of them. */
	readonly model: { readonly name: string; readonly parameters: number } | null;
	readonly base: string | null;
	readonly precision: Precision | null;
	/** Each split that is scored. */
	readonly scored: readonly ScoredSplit[];
	/** How often the functions go through the model, and by which methods their lines are scored besides. */
	readonly passes: { readonly forward: number; readonly lines: readonly string[] };
	/** Whether the length and n-gram baselines are fitted beside. */
	readonly baselines: boolean;
	readonly memoryBytes: RunMemory | null;
	readonly availableBytes: number | null;
	readonly backend: string | null;
	/** Of the model alone. */
	readonly seconds: number | null;
}

/** Functions that are scored. */
export interface ScoredSplit {
	readonly split: SplitName;
	readonly functions: number;
	readonly vulnerable: number;
	/** Tokens that are computed, in so many sequences; null for n-grams. */
	readonly tokens: number | null;
	readonly packs: number | null;
	/** Functions that are cut to the length of a sequence. */
	readonly truncated: number;
}

/** Plans `vulntune evaluate RUN`. Throws what that throws before it scores. */
export async function planEvaluation(
	location: string,
	options: EvaluationOptions,
	note: (line: string) => void,
): Promise<ScoringPlan> {
	const evaluated = openEvaluation(location, options);
	const { config, run, opened } = evaluated;
	try {
		const read = await readEvaluated(evaluated, options);
		for (const caution of read.cautions) note(caution);
		const { rows, fitting } = read;
		const common = { method: config.method.type, baselines: fitting !== undefined };
		if (opened === undefined) {
			const { split } = options;
			return {
				...common,
				...{ schema: 'vulntune.scoringPlan/1', model: null, base: null, precision: null },
				scored: [{ split, ...classesOf(rows), tokens: null, packs: null, truncated: 0 }],
				...{ passes: { forward: 1, lines: [] }, memoryBytes: null, availableBytes: null },
				...{ backend: null, seconds: null },
			};
		}
		const own = config.training.precision;
		const precision = options.precision ?? own;
		const isTwice = precision !== own && keptScores(run, options, read) === undefined;
		const asUsed = { ...config, training: { ...config.training, precision } };
		const lines = options.lines === true ? lineMethods(opened.base.folder.config.causal) : [];
		return await planWork(
			asUsed,
			{
				base: opened.base,
				detector: detectorOptions(savedConfig(asUsed, opened.base.folder.config)),
				splits: [[options.split, rows]],
				passes: { forward: isTwice ? 2 : 1, lines },
				run,
				isAskedFor: namesBackend(options.overrides ?? {}),
			},
			{ ...common, note },
		);
	} finally {
		opened?.base.close();
	}
}

/** Plans `vulntune evaluate --zero-shot`. Throws what that throws before it scores. */
export async function planZeroShot(
	options: ZeroShotOptions,
	note: (line: string) => void,
): Promise<ScoringPlan> {
	const config = zeroShotConfig(options);
	const base = openBase(config);
	try {
		const { splits } = await loadConfiguredDataset(config.data);
		// the threshold is chosen on validation
		const scored = [...new Set<SplitName>(['valid', options.split])];
		return await planWork(
			config,
			{
				base,
				detector: {
					...{ ...untunedDetector, base: config.method.base, maxPositions: config.sequence.length },
				},
				splits: scored.map((split) => [split, splits[split]]),
				...{ passes: { forward: 1, lines: [] }, run: undefined, isAskedFor: true },
			},
			{ method: 'zero-shot', baselines: true, note },
		);
	} finally {
		base.close();
	}
}

/** What is to be scored with a model. */
interface Work {
	readonly base: Base;
	readonly detector: RehearsedWork['detector'];
	readonly splits: readonly (readonly [SplitName, readonly FunctionRow[]])[];
	readonly passes: ScoringPlan['passes'];
	readonly run: RunFolder | undefined;
	/** Whether the backend was asked for by name. */
	readonly isAskedFor: boolean;
}

async function planWork(
	config: Config,
	{ base, detector, splits, passes, run, isAskedFor }: Work,
	{ method, baselines, note }: Pick<ScoringPlan, 'method' | 'baselines'> & { note: (line: string) => void },
): Promise<ScoringPlan> {
	const { folder, tokenizer } = base;
	const scoring = scoringOf(config, tokenizer, folder.config);
	const scored: (ScoredSplit & { readonly tokens: number })[] = [];
	const read: SplitData[] = [];
	for (const [split, rows] of splits) {
		const data = await tokenizedSplit(config, rows, tokenizer, folder.config);
		const plan = packFunctions(data.lengths, scoringPacking(scoring.packing, scoring.tokens), data);
		read.push(data);
		const { tokens, packs, truncated } = plan;
		scored.push({
			...{ split, ...classesOf(rows), tokens },
			...{ packs: packs.length, truncated: truncated.length },
		});
	}
	const shape = shapeOf(folder.config);
	const work = rehearsedScoring(base, detector, scoring, read, passes.lines.includes('gradient'));
	const backend = openEvaluationBackend(run, config.backend, isAskedFor, note);
	try {
		const flops = estimateFlops(shape, { backward: 'inputs', checkpointing: false });
		// attention is read off the first block: next to nothing
		const gradients = passes.lines.includes('gradient') ? flops.training : 0;
		const tokens = scored.reduce((sum, own) => sum + own.tokens, 0);
		const { precision } = config.training;
		return {
			schema: 'vulntune.scoringPlan/1',
			...{ method, baselines, precision, scored, passes },
			model: { name: config.model, parameters: shape.parameters },
			base: detector.base,
			memoryBytes: neededBy(backend, work)(false),
			availableBytes: availableBytes(backend),
			backend: `${backend.name} (${backend.description})`,
			seconds: (tokens * (passes.forward * flops.forward + gradients)) / measureFlops(backend, precision),
		};
	} finally {
		backend.close();
	}
}

/** What takes memory: the fullest pack of all splits, and the fullest whose lines are scored. */
function rehearsedScoring(
	{ folder: { config: model, weights } }: Base,
	detector: RehearsedWork['detector'],
	{ packing, tokens, pass }: ScoringOptions,
	splits: readonly SplitData[],
	explains: boolean,
): RehearsedWork {
	const data = {
		lengths: Int32Array.from(splits.flatMap(({ lengths }) => [...lengths])),
		tokens: splits.flatMap((split) => split.tokens),
	};
	const alone = { ...scoringPacking(packing, tokens), packLength: packing.length, sharePrefixes: false };
	const [scored, ...lesser] = scoredPacks(data, packing, tokens);
	const [explained] = explains ? packsOfSizes(data, alone, tokens, 1) : [];
	return {
		...{ model, detector, pass },
		dtypeOf: (name) => weights.info(name)?.dtype ?? 'BF16',
		packs: {
			scored: scored!,
			...(explained && { explained }),
			lesser: { trained: [], scored: lesser },
		},
	};
}

function classesOf(rows: readonly FunctionRow[]): {
	readonly functions: number;
	readonly vulnerable: number;
} {
	return { functions: rows.length, vulnerable: rows.filter(({ label }) => label === 1).length };
}

/** The plan for people. */
export function renderScoringPlan({
	model,
	method,
	base,
	precision,
	scored,
	passes,
	baselines,
	...machine
}: ScoringPlan): string {
	const { memoryBytes: memory, availableBytes: available, backend, seconds } = machine;
	const lines: (readonly [string, string])[] = [
		...(model === null
			? []
			: [['model', `${model.name}, ${formatNumber(model.parameters)} parameters`] as const]),
		['method', base === null ? method : `${method} on a base in ${base}, computed in ${precision}`],
		...scored.map(({ split, functions, vulnerable, tokens, packs, truncated }) => {
			const rows = `${formatNumber(functions)} functions, ${formatNumber(vulnerable)} vulnerable`;
			const cut = truncated === 0 ? '' : `; ${formatNumber(truncated)} cut`;
			const size =
				tokens === null ? '' : `; ${formatNumber(tokens)} tokens in ${formatNumber(packs!)} sequences${cut}`;
			return [split, `${rows}${size}`] as const;
		}),
		...(passes.forward > 1
			? [['', "scored twice: in this precision, and in the run's own to compare with"] as const]
			: []),
		...(passes.lines.length > 0
			? [['lines', `scored besides, by ${passes.lines.join(' and ')}`] as const]
			: []),
		[
			'baselines',
			baselines ? 'length and n-grams, fitted on the training functions' : 'no rows to fit any on',
		],
	];
	if (memory !== null) {
		const { base: weights, trained, activations, kept, around, total } = memory;
		lines.push([
			'memory',
			`about ${formatBytes(total)}: base ${formatBytes(weights)}, adapter and head ${formatBytes(trained)}, activations ${formatBytes(activations)}, kept for reuse ${formatBytes(kept)}, around it ${formatBytes(around)}`,
		]);
		if (available !== null && total > available) {
			lines.push(['', `more than this machine has (${formatBytes(available)})`]);
		}
	}
	if (backend !== null) lines.push(['backend', backend]);
	lines.push(['time', seconds === null ? 'seconds' : aboutDuration(seconds)]);
	return lines.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n');
}
