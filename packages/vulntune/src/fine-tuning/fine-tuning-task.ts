import { alone, type Communicator } from '../communication/communicator.ts';
import type { Detector } from '../methods/detector.ts';
import { validationThreshold } from '../metrics/best-f1.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import { packEpoch } from '../packing/epoch.ts';
import type { Piece } from '../packing/options.ts';
import type { EpochMetrics, TrainingRecord } from '../run/records.ts';
import { startPack } from '../scoring/micro-batch.ts';
import { type ScoringOptions, scoreSplit } from '../scoring/score-split.ts';
import { assemblePacks, type SplitData } from '../scoring/split-data.ts';
import { requireFinite } from '../training/divergence.ts';
import type { BestEpoch, TrainingState } from '../training/state.ts';
import type { Task } from '../training/task.ts';
import type { OptimizationSettings } from '../training/trainer.ts';

export interface FineTuningSettings extends OptimizationSettings {
	readonly epochs: number;
	/** Mean divides a pack's loss by its functions. */
	readonly reduction: 'sum' | 'mean';
	/** Epochs without a better one after which training stops; null for never. */
	readonly earlyStopping: number | null;
}

/** What the task tells besides what the trainer does. */
export interface FineTuningListener {
	record(record: TrainingRecord): void;
	validating(done: number, total: number): void;
	/** The validation scores of an epoch that is the best so far. */
	bestEpoch(best: BestEpoch, probabilities: Float64Array): void;
	/** Time to make the state durable. */
	checkpoint(): void;
	/** Asked between packs. */
	interrupted(): boolean;
}

/**
 * Fine-tunes a detector: each epoch trains on all packs of the training split, then scores the validation split, by which the best
 * epoch is known.
 *
 * Its methods throw LOSS_NOT_FINITE where a pack's loss (they name its functions) or the validation loss is NaN or infinite.
 */
export function fineTuningTask(
	detector: Detector,
	data: { readonly train: SplitData; readonly valid: SplitData },
	settings: FineTuningSettings,
	scoring: ScoringOptions,
	listener: FineTuningListener,
	communicator: Communicator = alone,
): Task<TrainingState> {
	const counts = packCounts(data.train, settings, scoring);
	const { lengths, tokens, pairs } = data.train;
	let planned: { readonly epoch: number; readonly packs: readonly (readonly Piece[])[] } | undefined;

	const packsOf = ({ epoch }: TrainingState) => {
		if (planned?.epoch !== epoch) {
			planned = {
				epoch,
				packs: packEpoch(lengths, scoring.packing, settings.seed, epoch, tokens, pairs?.rows).packs,
			};
		}
		return planned.packs;
	};
	const isFinished = ({ epoch, epochsWithoutBest }: TrainingState) =>
		epoch > settings.epochs ||
		(settings.earlyStopping !== null && epochsWithoutBest >= settings.earlyStopping);

	return {
		isFinished,
		packs: (state) => packsOf(state).length,
		train(index, group, state, count) {
			const packs = packsOf(state).slice(index, index + count);
			const { pack, targets } = assemblePacks(data.train, packs, scoring.packing.packing, scoring.tokens);
			const factors = packs.map(
				({ length }) => (settings.reduction === 'mean' ? 1 / length : 1) / group.size,
			);
			const factorOf = Float32Array.from(
				packs.flatMap(({ length }, p) => new Array<number>(length).fill(factors[p]!)),
			); // [F]
			const packsBefore = sum(counts.slice(0, state.epoch - 1));
			const dropoutSeed = dropoutSeedOf(settings.seed, packsBefore + index);
			const losses = startPack(detector, pack, targets, factorOf, dropoutSeed, scoring.pass);
			const { epoch, step } = state;
			const loss = () => {
				const values = losses();
				let from = 0;
				const ofPacks = packs.map(({ length }, p) => {
					const ofFunctions = values.subarray(from, (from += length));
					return sum([...ofFunctions]) * factors[p]!;
				});
				const total = sum(ofPacks);
				const what = `the loss of functions ${idsOf(data.train, pack.functionIndex)} is`;
				requireFinite(total, what, { epoch, step: step + 1 });
				return total;
			};
			return { loss, tokens: pack.inputIds.length };
		},
		async betweenPacks(state) {
			if (isFinished(state) || state.packs < packsOf(state).length) return true;
			if (!(await finishEpoch(detector, data.valid, scoring, state, listener, communicator))) return false;
			listener.checkpoint();
			return true;
		},
	};
}

/** The run's seed below, the number of the micro-batch above 32 bits: 2^21 of them before they repeat. */
function dropoutSeedOf(seed: number, microBatch: number): number {
	return (seed % 2 ** 32) + (microBatch % 2 ** 21) * 2 ** 32;
}

/** Validates and moves the state to the next epoch; false if it was interrupted, with the state unchanged. */
async function finishEpoch(
	detector: Detector,
	valid: SplitData,
	scoring: ScoringOptions,
	state: TrainingState,
	listener: FineTuningListener,
	communicator: Communicator,
): Promise<boolean> {
	const options = {
		...scoring,
		progress: (done: number, total: number) => listener.validating(done, total),
		stop: () => listener.interrupted(),
	};
	const scores = await scoreSplit(detector, valid, options, communicator);
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

/** Optimiser steps from an epoch, counted from 1, to the end of the run. */
export function countSteps(
	data: SplitData,
	settings: FineTuningSettings,
	scoring: ScoringOptions,
	firstEpoch = 1,
): number {
	return stepsOf(packCounts(data, settings, scoring).slice(firstEpoch - 1), settings);
}

/** [epochs] packs of each epoch: where they come as they arrive, their number differs. */
function packCounts(
	{ lengths, tokens, pairs }: SplitData,
	{ epochs, seed }: FineTuningSettings,
	{ packing }: ScoringOptions,
): number[] {
	const packsOf = (epoch: number) =>
		packEpoch(lengths, packing, seed, epoch, tokens, pairs?.rows).packs.length;
	if (packing.order !== 'arrival') return new Array(epochs).fill(packsOf(1));
	return Array.from({ length: epochs }, (_, index) => packsOf(index + 1));
}

function stepsOf(counts: readonly number[], { accumulation }: FineTuningSettings): number {
	return sum(counts.map((packs) => Math.ceil(packs / accumulation)));
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}

/** The first ten, so that the message stays readable. */
function idsOf(data: SplitData, functions: Int32Array): string {
	return Array.from(functions.subarray(0, 10), (index) => data.rows[index]!.id).join(', ');
}
