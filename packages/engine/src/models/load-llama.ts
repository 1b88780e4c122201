import type { Backend } from '../backends/contract.ts';
import { expectedTensors } from '../formats/huggingface/modelConfig.ts';
import type { ModelFolder } from '../formats/huggingface/modelFolder.ts';
import { readFloat32 } from '../formats/weightSource.ts';
import { createParameters, type Parameters } from '../tensor/parameters.ts';
import { type BaseType, frozenWeights } from './frozen-weights.ts';
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

/** Loads a model folder with every weight trainable, in float32. */
export function loadTrainableLlama(
	backend: Backend,
	folder: ModelFolder,
	maxPositions: number,
	extra: readonly { readonly name: string; readonly shape: readonly number[] }[],
): LoadedLlama & { readonly parameters: Parameters } {
	const specs = expectedTensors(folder.config).map(({ name, shape }) => ({ name, shape }));
	const parameters = createParameters(backend, [...specs, ...extra]);
	for (const { name } of specs) backend.upload(parameters.get(name), readFloat32(folder.weights, name));
	const model = createLlama(backend, folder.config, maxPositions, (name) => parameters.get(name));
	return { model, parameters, free: () => freeModel(backend, model, parameters.free) };
}

function freeModel(backend: Backend, model: LlamaModel, freeWeights: () => void): void {
	freeWeights();
	backend.free(model.ropeTable.cos.buffer);
	backend.free(model.ropeTable.sin.buffer);
}
