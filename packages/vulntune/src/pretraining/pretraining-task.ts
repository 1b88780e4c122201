import { alone, type Communicator } from '../communication/communicator.ts';
import { shareOut } from '../communication/share-out.ts';
import type { Piece } from '../packing/options.ts';
import type { StepRecord } from '../run/records.ts';
import { requireFinite } from '../training/divergence.ts';
import { initialRunState, type RunState } from '../training/state.ts';
import type { Task } from '../training/task.ts';
import type { OptimizationSettings } from '../training/trainer.ts';
import { measureSequence, type PassSettings, trainOnSequence } from './pass.ts';
import { buildSequence, countTargets, planSequences } from './sequences.ts';

export interface PretrainSettings extends OptimizationSettings {
	/** Optimiser steps; null for as many as the epochs have. */
	readonly steps: number | null;
	readonly epochs: number;
	readonly sequenceLength: number;
	readonly validateEverySteps: number | null;
}

/** Tokenised documents. */
export interface PretrainData {
	/** Ids per document, without the end token. */
	readonly train: readonly Int32Array[];
	readonly valid: readonly Int32Array[];
	readonly separator: number;
}

export interface PretrainState extends RunState {
	/** The step after which the validation loss was measured last; 0 for never. */
	validatedStep: number;
	validation: ValidationLoss | null;
}

export interface ValidationLoss {
	/** Mean −log p of the validation tokens, in nats. */
	readonly loss: number;
	/** e^loss */
	readonly perplexity: number;
}

/** One line of metrics.jsonl. */
export type PretrainRecord =
	| StepRecord
	| {
			readonly type: 'validation' | 'end';
			readonly step: number;
			readonly epoch: number;
			readonly validation: ValidationLoss;
	  };

/** What the task tells besides what the trainer does. */
export interface PretrainingListener {
	record(record: PretrainRecord): void;
	validating(done: number, total: number): void;
	/** Asked between sequences. */
	interrupted(): boolean;
}

export function initialPretrainState(): PretrainState {
	return { ...initialRunState(), validatedStep: 0, validation: null };
}

/**
 * Trains a model to say the next token of documents, until the last step. A step's loss is the mean over the tokens of its
 * sequences.
 *
 * Its methods throw LOSS_NOT_FINITE, where the loss of a sequence or the validation loss is NaN or infinite.
 */
export function pretrainingTask(
	pass: PassSettings,
	data: PretrainData,
	settings: PretrainSettings,
	listener: PretrainingListener,
	communicator: Communicator = alone,
): Task<PretrainState> {
	const lengths = data.train.map((ids) => ids.length);
	const planEpoch = (of: ArrayLike<number>, epoch: number) =>
		planSequences(of, settings.sequenceLength, settings.seed, epoch);
	const totalSteps = countSteps(lengths, settings);
	const validation = planEpoch(
		data.valid.map((ids) => ids.length),
		0,
	);
	let planned: { readonly epoch: number; readonly sequences: readonly (readonly Piece[])[] } | undefined;
	const sequencesOf = ({ epoch }: PretrainState) => {
		if (planned?.epoch !== epoch) planned = { epoch, sequences: planEpoch(lengths, epoch) };
		return planned.sequences;
	};
	const isFinished = ({ step }: PretrainState) => step === totalSteps;

	return {
		isFinished,
		packs: (state) => sequencesOf(state).length,
		train(index, { start, size }, state) {
			const sequences = sequencesOf(state);
			const targets = sequences
				.slice(start, start + size)
				.reduce((total, pieces) => total + countTargets(pieces), 0);
			const sequence = buildSequence(sequences[index]!, data.train, data.separator);
			const sum = trainOnSequence(sequence, 1 / targets, pass);
			const { epoch, step } = state;
			const loss = () => {
				const mean = sum() / targets;
				requireFinite(mean, 'the loss is', { epoch, step: step + 1 });
				return mean;
			};
			return { loss, tokens: sequence.pack.inputIds.length };
		},
		async betweenPacks(state) {
			if (isValidationDue(state, settings, totalSteps)) {
				if (!(await validate(pass, data, validation, state, listener, communicator))) return false;
			}
			if (!isFinished(state) && state.packs === sequencesOf(state).length) {
				state.epoch += 1;
				state.packs = 0;
			}
			return true;
		},
	};
}

function isValidationDue(state: PretrainState, settings: PretrainSettings, totalSteps: number): boolean {
	const { step, validatedStep } = state;
	if (step === validatedStep) return false;
	const every = settings.validateEverySteps;
	return step === totalSteps || (every !== null && step % every === 0);
}

/** Measures the validation loss; false if it was interrupted, with the state unchanged. */
async function validate(
	pass: PassSettings,
	data: PretrainData,
	sequences: readonly (readonly Piece[])[],
	state: PretrainState,
	listener: PretrainingListener,
	communicator: Communicator,
): Promise<boolean> {
	const measure = (index: number) =>
		measureSequence(buildSequence(sequences[index]!, data.valid, data.separator), pass);
	const losses = await shareOut(communicator, sequences.length, measure, {
		stop: () => listener.interrupted(),
		progress: (done) => listener.validating(done, sequences.length),
	});
	if (losses === undefined) return false;
	let sum = 0;
	for (const loss of losses) sum += loss;
	const targets = sequences.reduce((total, pieces) => total + countTargets(pieces), 0);
	const loss = sum / targets;
	requireFinite(loss, 'the validation loss is', state);
	state.validation = { loss, perplexity: Math.exp(loss) };
	state.validatedStep = state.step;
	const { step, epoch, validation } = state;
	listener.record({ type: 'validation', step, epoch, validation });
	return true;
}

/** Optimiser steps of the whole run. */
export function countSteps(
	lengths: ArrayLike<number>,
	settings: Pick<PretrainSettings, 'steps' | 'epochs' | 'accumulation' | 'sequenceLength' | 'seed'>,
): number {
	if (settings.steps !== null) return settings.steps;
	let steps = 0;
	for (let epoch = 1; epoch <= settings.epochs; epoch++) {
		const sequences = planSequences(lengths, settings.sequenceLength, settings.seed, epoch);
		steps += Math.ceil(sequences.length / settings.accumulation);
	}
	return steps;
}
