import type { Backend } from '../backends/contract.ts';
import { inputError } from '../errors.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { readFloat32 } from '../formats/weight-source.ts';
import { createRopeTable } from '../layers/rope-table.ts';
import { isQuantizedType } from '../quantize/types.ts';
import { createParameters, type ParameterSpec, type Parameters } from '../tensor/parameters.ts';
import { expectedTensors, familyOf } from './families.ts';
import { type BaseType, type FrozenWeights, frozenWeights } from './frozen-weights.ts';
import { initialWeight } from './initial-weights.ts';
import type { Model, ModelConfig } from './model.ts';
import type { ModelFolder } from './model-folder.ts';
import { placement, type WeightPlacer } from './placement.ts';
import { transformer } from './transformer.ts';

export interface LoadOptions {
	readonly base: BaseType;
	readonly doubleQuantization: boolean;
	/** The longest sequence that will be run: as long is the table of rotary positions. */
	readonly maxPositions: number;
}

export interface LoadedModel {
	readonly model: Model;
	free(): void;
}

/** Loads a model folder with frozen weights. Throws MODEL_QUANTIZED where they would be quantised a second time. */
export function loadModel(backend: Backend, folder: ModelFolder, options: LoadOptions): LoadedModel {
	checkBaseType(folder, options.base);
	const weights = frozenWeights(backend, folder.weights, options.base, options.doubleQuantization);
	return frozenModel(backend, folder.config, options, weights);
}

/** The model of frozen weights, which it frees with itself. */
export function frozenModel(
	backend: Backend,
	config: ModelConfig,
	{ maxPositions }: Pick<LoadOptions, 'maxPositions'>,
	weights: FrozenWeights,
): LoadedModel {
	try {
		return assemble(backend, config, maxPositions, weights.place, weights.free);
	} catch (error) {
		weights.free();
		throw error;
	}
}

/** Throws MODEL_QUANTIZED where a model that is stored quantised would be quantised once more, to another type: both errors add up. */
export function checkBaseType(
	{ config: { quantization }, path }: Pick<ModelFolder, 'config' | 'path'>,
	base: BaseType,
): void {
	if (quantization === undefined || !isQuantizedType(base) || quantization.type === base) return;
	throw inputError(
		'MODEL_QUANTIZED',
		`the base in ${path} is quantised already (${quantization.type}): as ${base} it would have the errors of both`,
		{
			place: 'method.base',
			remedy: `Set it to ${quantization.type}, or to bf16 or fp32 with method.type: lora; or give the original.`,
		},
	);
}

/** A model with every weight trainable. */
export type TrainableModel = LoadedModel & { readonly parameters: Parameters };

/** Loads a model folder with every weight trainable, in float32. */
export function loadTrainableModel(
	backend: Backend,
	folder: ModelFolder,
	maxPositions: number,
	extra: readonly ParameterSpec[],
): TrainableModel {
	return trainableModel(backend, folder.config, maxPositions, extra, ({ name }) =>
		readFloat32(folder.weights, name),
	);
}

/** A new model with every weight trainable, in float32: a function of its config and the seed alone. */
export function createTrainableModel(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	seed: number,
): TrainableModel {
	return trainableModel(backend, config, maxPositions, [], (tensor) => initialWeight(tensor, config, seed));
}

/** A model with every weight trainable, each with the values that are given for it. */
export function trainableModel(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	extra: readonly ParameterSpec[],
	valuesOf: (tensor: ExpectedTensor) => Float32Array,
): TrainableModel {
	const tensors = expectedTensors(config);
	const parameters = createParameters(backend, [
		...tensors.map(({ name, shape }) => ({ name, shape })),
		...extra,
	]);
	try {
		for (const tensor of tensors) backend.upload(parameters.get(tensor.name), valuesOf(tensor));
		const place: WeightPlacer = ({ name }) => parameters.get(name);
		return { ...assemble(backend, config, maxPositions, place, parameters.free), parameters };
	} catch (error) {
		parameters.free();
		throw error;
	}
}

/** The model of placed weights; what its family computes once lies beside them. */
function assemble(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	place: WeightPlacer,
	freeWeights: () => void,
): LoadedModel {
	const family = familyOf(config);
	const weights = family.weights(config, placement(place));
	const ropeTables = (family.frequencies?.(config) ?? []).map((frequencies) =>
		createRopeTable(backend, frequencies, maxPositions),
	);
	return {
		model: transformer(config, weights, ropeTables),
		free() {
			freeWeights();
			for (const { cos, sin } of ropeTables) {
				backend.free(cos.buffer);
				backend.free(sin.buffer);
			}
		},
	};
}
