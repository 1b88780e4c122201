import type { Config } from '../config/schema.ts';
import type { DetectorDescription, StackDescription } from '../methods/description.ts';
import { fitCalibration } from '../metrics/calibrate.ts';
import type { Base } from '../model/open-base.ts';
import { methodOf } from '../scoring/configured-detector.ts';
import type { PreparedData } from '../scoring/prepare-data.ts';
import { answersOf } from '../scoring/scoring-options.ts';
import type { TrainingState } from '../training/state.ts';
import type { FineTuningSettings } from './fine-tuning-task.ts';

/** What the training loop needs of a config. */
export function settingsOf(config: Config): FineTuningSettings {
	const {
		epochs,
		accumulation,
		sequencesPerPass,
		optimizer,
		schedule,
		learningRate,
		warmupSteps,
		weightDecay,
		clipNorm,
	} = config.training;
	const { seed, earlyStopping, checkpointEverySteps } = config.training;
	return {
		epochs,
		accumulation,
		sequencesPerPass,
		schedule: { schedule, learningRate, warmupSteps },
		optimizer: { name: optimizer, weightDecay, clipNorm },
		reduction: config.loss.reduction,
		seed,
		earlyStopping,
		checkpointEverySteps,
	};
}

/** What a detector was made of. */
export interface DescribedRun {
	readonly config: Config;
	readonly data: PreparedData;
	readonly base: Base;
	/** What is said of the n-grams that its head sees the score of. */
	readonly stack: StackDescription | undefined;
}

/** What is written beside an adapter: all that scoring with it needs, and what it was trained by. */
export function describeDetector(
	run: DescribedRun,
	{ earlierBases }: TrainingState,
	{ epoch, threshold }: { readonly epoch: number; readonly threshold: number | null },
	validation: Float64Array,
): DetectorDescription {
	const labels = run.data.splits.valid.rows.map((row) => row.label);
	const calibration = fitCalibration(labels, validation);
	return {
		...describeConfig(run),
		...(earlierBases === undefined ? {} : { earlierBases }),
		...{ epoch, threshold },
		...(calibration === undefined ? {} : { calibration }),
	};
}

/** The part of it that is known before anything is trained. */
export function describeConfig({
	config,
	data,
	base,
	stack,
}: Pick<DescribedRun, 'config' | 'base' | 'stack'> & {
	readonly data: Pick<PreparedData, 'tokenizer' | 'scoring'>;
}): Omit<DetectorDescription, 'epoch' | 'threshold'> {
	return {
		format: 1,
		model: config.model,
		baseFingerprint: base.fingerprint,
		method: methodOf(config).type,
		base: config.method.base,
		doubleQuantization: config.method.doubleQuantization,
		bidirectionalLayers: config.method.bidirectionalLayers || undefined,
		objective: config.objective,
		nextToken: config.nextToken,
		answers: answersOf(config, data.tokenizer),
		head: config.head,
		...(stack === undefined ? {} : { stack }),
		collapseWhitespace: config.data.collapseWhitespace,
		sequence: { ...data.scoring.packing, windowCombination: config.sequence.windowCombination },
		precision: data.scoring.pass.precision,
		seed: config.training.seed,
	};
}
