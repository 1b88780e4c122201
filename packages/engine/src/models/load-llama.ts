import type { Backend } from '../backends/contract.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { expectedTensors, type ModelConfig } from '../formats/huggingface/model-config.ts';
import type { ModelFolder } from '../formats/huggingface/model-folder.ts';
import { readFloat32 } from '../formats/weight-source.ts';
import { createParameters, type ParameterSpec, type Parameters } from '../tensor/parameters.ts';
import { type BaseType, frozenWeights } from './frozen-weights.ts';
import { initialWeight } from './initial-weights.ts';
import { createLlama, type LlamaModel } from './llama.ts';

export interface LoadOptions {
	readonly base: BaseType;
	readonly doubleQuantization: boolean;
	/** Length of the rotary table: the longest sequence that will be run. */
	readonly maxPositions: number;
}

export interface LoadedLlama {
	readonly model: LlamaModel;
	free(): void;
}

/** Loads a model folder with frozen weights. */
export function loadLlama(backend: Backend, folder: ModelFolder, options: LoadOptions): LoadedLlama {
	const weights = frozenWeights(backend, folder.weights, options.base, options.doubleQuantization);
	try {
		const model = createLlama(backend, folder.config, options.maxPositions, weights.place);
		return { model, free: () => freeModel(backend, model, weights.free) };
	} catch (error) {
		weights.free();
		throw error;
	}
}

/** A model with every weight trainable. */
export type TrainableLlama = LoadedLlama & { readonly parameters: Parameters };

/** Loads a model folder with every weight trainable, in float32. */
export function loadTrainableLlama(
	backend: Backend,
	folder: ModelFolder,
	maxPositions: number,
	extra: readonly ParameterSpec[],
): TrainableLlama {
	return trainableLlama(backend, folder.config, maxPositions, extra, ({ name }) =>
		readFloat32(folder.weights, name),
	);
}

/** A new model with every weight trainable, in float32: a function of its config and the seed alone. */
export function createTrainableLlama(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	seed: number,
): TrainableLlama {
	return trainableLlama(backend, config, maxPositions, [], (tensor) => initialWeight(tensor, config, seed));
}

function trainableLlama(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	extra: readonly ParameterSpec[],
	valuesOf: (tensor: ExpectedTensor) => Float32Array,
): TrainableLlama {
	const tensors = expectedTensors(config);
	const parameters = createParameters(backend, [
		...tensors.map(({ name, shape }) => ({ name, shape })),
		...extra,
	]);
	try {
		for (const tensor of tensors) backend.upload(parameters.get(tensor.name), valuesOf(tensor));
		const model = createLlama(backend, config, maxPositions, (name) => parameters.get(name));
		return { model, parameters, free: () => freeModel(backend, model, parameters.free) };
	} catch (error) {
		parameters.free();
		throw error;
	}
}

function freeModel(backend: Backend, model: LlamaModel, freeWeights: () => void): void {
	freeWeights();
	backend.free(model.ropeTable.cos.buffer);
	backend.free(model.ropeTable.sin.buffer);
}
