import type { Precision } from '@vulntune/engine';
import { loadConfiguredDataset } from '../audit/training-dataset.ts';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { resolveConfig } from '../config/load.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import type { SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { createDetector, type Detector } from '../methods/detector.ts';
import { validationThreshold } from '../metrics/best-f1.ts';
import { blamingBase } from '../model/damaged-base.ts';
import { type Base, openBase } from '../model/open-base.ts';
import { tokenizedSplit } from '../scoring/prepare-data.ts';
import { type FunctionScores, requireScores, scoreFunctions } from '../scoring/score-split.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { type Comparison, compareWithBaselines } from './compare-with-baselines.ts';
import { openEvaluationBackend } from './evaluated-base.ts';
import { evaluatedRows, textRows } from './evaluated-rows.ts';

export interface ZeroShotOptions {
	readonly model: string;
	readonly data: string;
	readonly split: SplitName;
	/** Default bf16. */
	readonly precision: Precision | undefined;
	/** Options of the question, the sequence and the backend. */
	readonly overrides: ConfigOverrides;
}

export interface ZeroShotEvaluation {
	readonly comparison: Comparison;
	/** What the model was asked after each function, and the answers that were weighed. */
	readonly question: Config['nextToken'];
	readonly threshold: number | null;
	readonly truncated: number;
	readonly rows: readonly FunctionRow[];
	/** [rows] */
	readonly probabilities: Float64Array;
}

type Progress = (name: SplitName, done: number, total: number) => void;

/**
 * What a model says without any training: after each function it is asked whether that is vulnerable, and the probability is that of the
 * answer YES against NO. The threshold is chosen on validation, as for every detector; the baselines are fitted on the training rows.
 *
 * Throws MODEL_HEAD_MISSING for a model that gives no next tokens, and what opening a base and a dataset throws.
 */
export async function evaluateZeroShot(
	options: ZeroShotOptions,
	progress: Progress,
	note: (line: string) => void,
): Promise<ZeroShotEvaluation> {
	const config = zeroShotConfig(options);
	const { split } = options;
	const base = openBase(config);
	try {
		const { splits } = await loadConfiguredDataset(config.data);
		const scored = await withUntuned(config, base, note, async (detector) => {
			const score = (name: SplitName) => scoreRows(config, base, detector, splits[name], name, progress);
			const valid = await score('valid');
			return { valid, chosen: split === 'valid' ? valid : await score(split) };
		});
		const labels = splits.valid.map((row) => row.label);
		const threshold = validationThreshold(labels, scored.valid.probabilities);
		const { probabilities, truncated } = scored.chosen;
		const rows = splits[split];
		const isCollapsed = config.data.collapseWhitespace;
		const comparison = compareWithBaselines(evaluatedRows(rows, probabilities, isCollapsed), {
			name: 'zero-shot',
			threshold,
			baselines: fitBaselines(textRows(splits.train, isCollapsed), textRows(splits.valid, isCollapsed)),
		});
		return { comparison, question: config.nextToken, threshold, truncated, rows, probabilities };
	} finally {
		base.close();
	}
}

/** The config of an untuned model. */
export function zeroShotConfig({
	model,
	data,
	precision,
	overrides,
}: Omit<ZeroShotOptions, 'split'>): Config {
	const value = {
		...{ model, data: { path: data }, objective: 'nextToken', output: '.' },
		// the method says how the base is held; nothing of it is trained here
		method: { type: 'lora' },
		training: precision === undefined ? {} : { precision },
	};
	return resolveConfig(value, { place: 'evaluate --zero-shot', folder: process.cwd(), overrides });
}

/** What an untuned model is loaded as. */
export const untunedDetector = {
	method: { type: 'head' },
	head: undefined,
	doubleQuantization: false,
} as const;

/** Runs `body` with the base as it is, on a backend of its own. */
async function withUntuned<Result>(
	config: Config,
	base: Base,
	note: (line: string) => void,
	body: (detector: Detector) => Promise<Result>,
): Promise<Result> {
	const backend = openEvaluationBackend(undefined, config.backend, true, note);
	try {
		const detector = await blamingBase(base.folder, () =>
			createDetector(backend, base.folder, {
				...{ ...untunedDetector, start: undefined, seed: 0 },
				...{ base: config.method.base, maxPositions: config.sequence.length },
			}),
		);
		try {
			return await body(detector);
		} finally {
			detector.free();
		}
	} finally {
		backend.close();
	}
}

async function scoreRows(
	config: Config,
	base: Base,
	detector: Detector,
	rows: readonly FunctionRow[],
	name: SplitName,
	progress: Progress,
): Promise<FunctionScores> {
	const scoring = scoringOf(config, base.tokenizer, base.folder.config);
	const { tokens } = await tokenizedSplit(config, rows, base.tokenizer, base.folder.config);
	const own = { ...scoring, progress: (done: number, total: number) => progress(name, done, total) };
	const scores = (await blamingBase(base.folder, () => scoreFunctions(detector, { tokens }, own)))!;
	requireScores(scores.probabilities, (index) => rows[index]!.id);
	return scores;
}
