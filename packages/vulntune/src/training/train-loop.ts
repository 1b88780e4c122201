import type { Detector } from '../methods/detector.ts';
import { validationThreshold } from '../metrics/best-f1.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import { packEpoch } from '../packing/epoch.ts';
import { requireFinite } from './divergence.ts';
import { trainOnPack } from './micro-batch.ts';
import type { AdamWSettings, Optimizer } from './optimizer.ts';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';
import { type ScoringOptions, scoreSplit } from './score-split.ts';
import { assemblePack, type SplitData } from './split-data.ts';
import type { BestEpoch, TrainingState } from './state.ts';

export interface TrainingSettings {
	readonly epochs: number;
	readonly accumulation: number;
	readonly schedule: Omit<ScheduleOptions, 'totalSteps'>;
	readonly optimizer: AdamWSettings;
	/** Mean divides a pack's loss by its functions. */
	readonly reduction: 'sum' | 'mean';
	readonly seed: number;
	/** Epochs without a better one after which training stops; null for never. */
	readonly earlyStopping: number | null;
	readonly checkpointEverySteps: number | null;
}

/** One line of metrics.jsonl. Holds nothing that differs between two equal runs. */
export type TrainingRecord =
	| {
			readonly type: 'step';
			readonly step: number;
			readonly epoch: number;
			readonly loss: number;
			readonly gradNorm: number;
			readonly learningRate: number;
			readonly tokens: number;
	  }
	| { readonly type: 'epoch'; readonly epoch: number; readonly validation: EpochMetrics };

export interface EpochMetrics {
	/** Mean weighted loss. */
	readonly loss: number;
	readonly rocAuc: number | null;
	readonly averagePrecision: number | null;
	/** At `threshold`, which is the best one for these very labels: a figure for choosing, not a result. */
	readonly f1: number | null;
	/** null where validation has one class only: nothing could be chosen. */
	readonly threshold: number | null;
}

/** What the loop tells whoever keeps, shows or stores it. */
export interface TrainingListener {
	/** After every pack. */
	progress(done: {
		readonly epoch: number;
		readonly pack: number;
		readonly packs: number;
		readonly tokens: number;
	}): void;
	record(record: TrainingRecord): void;
	validating(done: number, total: number): void;
	/** The validation scores of an epoch that is the best so far. */
	bestEpoch(best: BestEpoch, probabilities: Float64Array): void;
	/** Time to make the state durable. */
	checkpoint(state: TrainingState): void;
	/** Asked between packs. */
	interrupted(): boolean;
}

/**
 * Trains from `state` to the end of the last epoch, or until the listener interrupts. Everything that happens is a
 * function of the state, the data and the settings.
 *
 * Throws LOSS_NOT_FINITE, where a pack's loss (then with its functions), a gradient or the validation loss is none.
 */
export function train(
	detector: Detector,
	optimizer: Optimizer,
	data: { readonly train: SplitData; readonly valid: SplitData },
	settings: TrainingSettings,
	scoring: ScoringOptions,
	state: TrainingState,
	listener: TrainingListener,
): 'finished' | 'interrupted' {
	const counts = packCounts(data.train, settings, scoring);
	const firstEpoch = state.extension?.firstEpoch ?? 1;
	const totalSteps = stepsOf(counts.slice(firstEpoch - 1), settings);
	while (!isFinished(state, settings)) {
		const { lengths, tokens } = data.train;
		const { packs } = packEpoch(lengths, scoring.packing, settings.seed, state.epoch, tokens);
		const packsBefore = sum(counts.slice(0, state.epoch - 1));
		while (state.packs < packs.length) {
			if (listener.interrupted()) {
				listener.checkpoint(state);
				return 'interrupted';
			}
			trainPack(detector, data.train, packs, packsBefore, settings, scoring, state);
			listener.progress({
				epoch: state.epoch,
				pack: state.packs,
				packs: packs.length,
				tokens: state.groupTokens,
			});
			if (state.packs % settings.accumulation !== 0 && state.packs !== packs.length) continue;
			takeStep(optimizer, settings, totalSteps, state, listener);
			const every = settings.checkpointEverySteps;
			if (every !== null && state.step % every === 0) listener.checkpoint(state);
		}
		if (!finishEpoch(detector, data.valid, scoring, state, listener)) {
			listener.checkpoint(state);
			return 'interrupted';
		}
		listener.checkpoint(state);
	}
	return 'finished';
}

function trainPack(
	detector: Detector,
	data: SplitData,
	packs: ReturnType<typeof packEpoch>['packs'],
	packsBefore: number,
	settings: TrainingSettings,
	scoring: ScoringOptions,
	state: TrainingState,
): void {
	const index = state.packs;
	const { accumulation } = settings;
	const groupStart = index - (index % accumulation);
	const groupSize = Math.min(accumulation, packs.length - groupStart);
	const { pack, targets } = assemblePack(data, packs[index]!, scoring.packing.packing, scoring.tokens);
	const functions = targets.labels.length;
	const factor = (settings.reduction === 'mean' ? 1 / functions : 1) / groupSize;
	const dropoutSeed = dropoutSeedOf(settings.seed, packsBefore + index);
	const { losses } = trainOnPack(detector, pack, targets, factor, dropoutSeed, scoring.pass);
	const loss = losses.reduce((total, value) => total + value, 0) * factor;
	requireFinite(loss, `the loss of functions ${idsOf(data, pack.functionIndex)} is`, stepInProgress(state));
	state.groupLoss += loss;
	state.groupTokens += pack.inputIds.length;
	state.packs += 1;
}

/** The run's seed below, the number of the micro-batch above 32 bits: 2^21 of them before they repeat. */
function dropoutSeedOf(seed: number, microBatch: number): number {
	return (seed % 2 ** 32) + (microBatch % 2 ** 21) * 2 ** 32;
}

function takeStep(
	optimizer: Optimizer,
	settings: TrainingSettings,
	totalSteps: number,
	state: TrainingState,
	listener: TrainingListener,
): void {
	state.step += 1;
	// the steps of an extension have a schedule of their own
	const scheduleStep = state.step - (state.extension?.stepsBefore ?? 0);
	const learningRate = learningRateAt(scheduleStep, { ...settings.schedule, totalSteps });
	const gradNorm = optimizer.step(state.step, learningRate);
	requireFinite(gradNorm, 'the gradient is', state);
	const { step, epoch, groupLoss: loss, groupTokens: tokens } = state;
	state.groupLoss = 0;
	state.groupTokens = 0;
	listener.record({ type: 'step', step, epoch, loss, gradNorm, learningRate, tokens });
}

/** Validates and moves the state to the next epoch; false if it was interrupted, with the state unchanged. */
function finishEpoch(
	detector: Detector,
	valid: SplitData,
	scoring: ScoringOptions,
	state: TrainingState,
	listener: TrainingListener,
): boolean {
	const scores = scoreSplit(detector, valid, {
		...scoring,
		progress: (done, total) => listener.validating(done, total),
		stop: () => listener.interrupted(),
	});
	if (scores === undefined) return false;
	requireFinite(scores.loss, 'the validation loss is', state);
	const labels = valid.rows.map((row) => row.label);
	const validation = splitMetrics(labels, scores.probabilities, scores.loss);
	const { epoch } = state;
	listener.record({ type: 'epoch', epoch, validation });
	if (isBetter(validation, state.best)) {
		const { loss, rocAuc, threshold } = validation;
		state.best = { epoch, loss, rocAuc, threshold };
		state.epochsWithoutBest = 0;
		listener.bestEpoch(state.best, scores.probabilities);
	} else {
		state.epochsWithoutBest += 1;
	}
	state.epoch += 1;
	state.packs = 0;
	return true;
}

/** Point metrics of a validation pass. */
export function splitMetrics(
	labels: readonly (0 | 1)[],
	probabilities: Float64Array,
	loss: number,
): EpochMetrics {
	const threshold = validationThreshold(labels, probabilities);
	const evaluation = evaluateScores({ labels, scores: probabilities, threshold, seed: 0, resamples: 0 });
	return {
		loss,
		rocAuc: evaluation.rocAuc.value,
		averagePrecision: evaluation.averagePrecision.value,
		f1: evaluation.f1.value,
		threshold,
	};
}

/** By ROC AUC; by loss where the validation split has no AUC. The earlier of equals stays. */
function isBetter(metrics: EpochMetrics, best: BestEpoch | null): boolean {
	if (best === null) return true;
	if (metrics.rocAuc === null || best.rocAuc === null) return metrics.loss < best.loss;
	return metrics.rocAuc > best.rocAuc;
}

function isFinished(state: TrainingState, settings: TrainingSettings): boolean {
	const { earlyStopping } = settings;
	return (
		state.epoch > settings.epochs || (earlyStopping !== null && state.epochsWithoutBest >= earlyStopping)
	);
}

/** Optimiser steps from an epoch, counted from 1, to the end of the run. */
export function countSteps(
	data: SplitData,
	settings: TrainingSettings,
	scoring: ScoringOptions,
	firstEpoch = 1,
): number {
	return stepsOf(packCounts(data, settings, scoring).slice(firstEpoch - 1), settings);
}

/** [epochs] packs of each epoch: where they come as they arrive, their number differs. */
function packCounts(
	{ lengths, tokens }: SplitData,
	{ epochs, seed }: TrainingSettings,
	{ packing }: ScoringOptions,
): number[] {
	const packsOf = (epoch: number) => packEpoch(lengths, packing, seed, epoch, tokens).packs.length;
	if (packing.order !== 'arrival') return new Array(epochs).fill(packsOf(1));
	return Array.from({ length: epochs }, (_, index) => packsOf(index + 1));
}

function stepsOf(counts: readonly number[], { accumulation }: TrainingSettings): number {
	return sum(counts.map((packs) => Math.ceil(packs / accumulation)));
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}

/** The first ten, so that the message stays readable. */
function idsOf(data: SplitData, functions: Int32Array): string {
	return Array.from(functions.subarray(0, 10), (index) => data.rows[index]!.id).join(', ');
}

/** The optimiser step that the packs since the last one go into. */
function stepInProgress({ epoch, step }: TrainingState): { epoch: number; step: number } {
	return { epoch, step: step + 1 };
}
