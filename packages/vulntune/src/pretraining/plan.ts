import { createBackend, elements, expectedTensors, type ModelConfig } from '@vulntune/engine';
import { estimateFlops } from '../sizing/estimates.ts';
import { measureFlops } from '../sizing/measure-speed.ts';
import { shapeOf } from '../sizing/model-shape.ts';
import { aboutDuration, formatBytes, formatNumber } from '../terminal/format.ts';
import { warmupNote } from '../training/schedule.ts';
import type { PretrainConfig } from './config-schema.ts';
import { countSteps } from './pretraining-task.ts';
import { preparePretraining } from './session.ts';

/** What a run would do. */
export interface PretrainPlan {
	readonly parameters: number;
	readonly vocabulary: number;
	readonly documents: { readonly train: number; readonly valid: number };
	/** Tokens of the documents, end tokens included. */
	readonly tokens: { readonly train: number; readonly valid: number };
	readonly steps: number;
	/** Where the warm-up is longer than the run lets it be: what becomes of it. */
	readonly warmup: string | null;
	/** Weights, gradients and the two moments of AdamW, in float32; activations come on top. */
	readonly stateBytes: number;
	/** Of the training, its measurements of the validation loss left out. */
	readonly seconds: number;
	readonly output: string;
}

/** Reads the documents and trains the tokenizer, but no model. */
export function planPretraining(config: PretrainConfig, note: (line: string) => void): PretrainPlan {
	const { data, modelConfig, tokenizer, settings } = preparePretraining(config, note);
	const tensors = expectedTensors(modelConfig);
	const parameters = tensors.reduce((sum, { shape }) => sum + elements(shape), 0);
	const count = (documents: readonly Int32Array[]) => documents.reduce((sum, ids) => sum + ids.length + 1, 0);
	const lengths = data.train.map((ids) => ids.length);
	const steps = countSteps(lengths, settings);
	return {
		parameters,
		vocabulary: tokenizer.tokenizer.vocabularySize,
		documents: { train: data.train.length, valid: data.valid.length },
		tokens: { train: count(data.train), valid: count(data.valid) },
		steps,
		warmup: warmupNote({ ...settings.schedule, totalSteps: steps }) ?? null,
		stateBytes: 4 * 4 * parameters,
		seconds: trainingSeconds(config, modelConfig, steps),
		output: config.output,
	};
}

function trainingSeconds(
	{ backend: choice, training, sequence }: PretrainConfig,
	model: ModelConfig,
	steps: number,
) {
	const { checkpointing, precision, accumulation } = training;
	const blocks = estimateFlops(shapeOf(model), {
		backward: 'all',
		checkpointing: checkpointing !== false,
	}).training;
	// the logits of every token, forward and both gradients
	const logits = 3 * 2 * model.vocabularySize * model.hiddenSize;
	const backend = createBackend(choice, () => {});
	try {
		return (steps * accumulation * sequence.length * (blocks + logits)) / measureFlops(backend, precision);
	} finally {
		backend.close();
	}
}

/** The plan as lines for people. */
export function renderPretrainPlan(plan: PretrainPlan): string {
	const { parameters, vocabulary, documents, tokens, steps, warmup, stateBytes, seconds, output } = plan;
	return [
		`model       ${formatNumber(parameters)} parameters, tokenizer of ${formatNumber(vocabulary)} tokens`,
		`training    ${formatNumber(documents.train)} documents, ${formatNumber(tokens.train)} tokens, ${formatNumber(steps)} optimiser steps`,
		...(warmup === null ? [] : [`            ${warmup}`]),
		`validation  ${formatNumber(documents.valid)} documents, ${formatNumber(tokens.valid)} tokens`,
		`memory      ${formatBytes(stateBytes)} for weights, gradients and moments; activations come on top`,
		`time        ${aboutDuration(seconds)}`,
		`output      ${output}`,
	].join('\n');
}
