import type { Piece } from '../packing/options.ts';
import { requireFinite } from '../training/divergence.ts';
import type { AdamWSettings, Optimizer } from '../training/optimizer.ts';
import { learningRateAt, type ScheduleOptions } from '../training/schedule.ts';
import { initialRunState, type RunState } from '../training/state.ts';
import { measureSequence, type PassSettings, trainOnSequence } from './pass.ts';
import { buildSequence, countTargets, planSequences } from './sequences.ts';

export interface PretrainSettings {
	/** Optimiser steps; null for as many as the epochs have. */
	readonly steps: number | null;
	readonly epochs: number;
	readonly accumulation: number;
	readonly sequenceLength: number;
	readonly schedule: Omit<ScheduleOptions, 'totalSteps'>;
	readonly optimizer: AdamWSettings;
	readonly seed: number;
	readonly validateEverySteps: number | null;
	readonly checkpointEverySteps: number | null;
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
	| {
			readonly type: 'step';
			readonly step: number;
			readonly epoch: number;
			readonly loss: number;
			readonly gradNorm: number;
			readonly learningRate: number;
			readonly tokens: number;
	  }
	| {
			readonly type: 'validation' | 'end';
			readonly step: number;
			readonly epoch: number;
			readonly validation: ValidationLoss;
	  };

export interface PretrainListener {
	/** After every sequence. */
	progress(done: { readonly share: number; readonly tokens: number }): void;
	record(record: PretrainRecord): void;
	validating(done: number, total: number): void;
	/** Time to make the state durable. */
	checkpoint(): void;
	/** Asked between sequences. */
	interrupted(): boolean;
}

export function initialPretrainState(): PretrainState {
	return { ...initialRunState(), validatedStep: 0, validation: null };
}

/**
 * Trains from `state` to the last step, or until the listener interrupts. A step's loss is the mean over the tokens
 * of its sequences. Everything that happens is a function of the state, the data and the settings.
 *
 * Throws LOSS_NOT_FINITE, where the loss of a sequence, a gradient or the validation loss is no number.
 */
export function pretrain(
	pass: PassSettings,
	optimizer: Optimizer,
	data: PretrainData,
	settings: PretrainSettings,
	state: PretrainState,
	listener: PretrainListener,
): 'finished' | 'interrupted' {
	const lengths = data.train.map((ids) => ids.length);
	const planEpoch = (epoch: number) => planSequences(lengths, settings.sequenceLength, settings.seed, epoch);
	const totalSteps = countSteps(lengths, settings);
	const validation = planSequences(
		data.valid.map((ids) => ids.length),
		settings.sequenceLength,
		settings.seed,
		0,
	);
	let sequences = planEpoch(state.epoch);
	while (true) {
		if (isValidationDue(state, settings, totalSteps)) {
			if (!validate(pass, data, validation, state, listener)) return interrupt(listener);
		}
		if (state.step === totalSteps) return 'finished';
		if (state.packs === sequences.length) {
			state.epoch += 1;
			state.packs = 0;
			sequences = planEpoch(state.epoch);
		}
		if (listener.interrupted()) return interrupt(listener);
		const isGroupDone = trainOnNext(pass, data, sequences, settings.accumulation, state);
		const stepShare = (state.packs % settings.accumulation) / settings.accumulation;
		listener.progress({
			share: (state.step + (isGroupDone ? 1 : stepShare)) / totalSteps,
			tokens: state.groupTokens,
		});
		if (!isGroupDone) continue;
		takeStep(optimizer, settings, totalSteps, state, listener);
		const every = settings.checkpointEverySteps;
		if (every !== null && state.step % every === 0) listener.checkpoint();
	}
}

function interrupt(listener: PretrainListener): 'interrupted' {
	listener.checkpoint();
	return 'interrupted';
}

/** Trains on the next sequence; true if it is the last of its step. */
function trainOnNext(
	pass: PassSettings,
	data: PretrainData,
	sequences: readonly (readonly Piece[])[],
	accumulation: number,
	state: PretrainState,
): boolean {
	const start = state.packs - (state.packs % accumulation);
	const group = sequences.slice(start, start + accumulation);
	const targets = group.reduce((sum, pieces) => sum + countTargets(pieces), 0);
	const sequence = buildSequence(sequences[state.packs]!, data.train, data.separator);
	const loss = trainOnSequence(sequence, 1 / targets, pass) / targets;
	requireFinite(loss, 'the loss is', { epoch: state.epoch, step: state.step + 1 });
	state.groupLoss += loss;
	state.groupTokens += sequence.pack.inputIds.length;
	state.packs += 1;
	return state.packs === start + group.length;
}

function takeStep(
	optimizer: Optimizer,
	settings: PretrainSettings,
	totalSteps: number,
	state: PretrainState,
	listener: PretrainListener,
): void {
	state.step += 1;
	const learningRate = learningRateAt(state.step, { ...settings.schedule, totalSteps });
	const gradNorm = optimizer.step(state.step, learningRate);
	requireFinite(gradNorm, 'the gradient is', state);
	const { step, epoch, groupLoss: loss, groupTokens: tokens } = state;
	state.groupLoss = 0;
	state.groupTokens = 0;
	listener.record({ type: 'step', step, epoch, loss, gradNorm, learningRate, tokens });
}

function isValidationDue(state: PretrainState, settings: PretrainSettings, totalSteps: number): boolean {
	const { step, validatedStep } = state;
	if (step === validatedStep) return false;
	const every = settings.validateEverySteps;
	return step === totalSteps || (every !== null && step % every === 0);
}

/** Measures the validation loss; false if it was interrupted, with the state unchanged. */
function validate(
	pass: PassSettings,
	data: PretrainData,
	sequences: readonly (readonly Piece[])[],
	state: PretrainState,
	listener: PretrainListener,
): boolean {
	let sum = 0;
	let targets = 0;
	for (const [index, pieces] of sequences.entries()) {
		if (listener.interrupted()) return false;
		sum += measureSequence(buildSequence(pieces, data.valid, data.separator), pass);
		targets += countTargets(pieces);
		listener.validating(index + 1, sequences.length);
	}
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
