import {
	attachLora,
	type Backend,
	type BaseType,
	createParameters,
	dryModel,
	dryTrainableModel,
	type HostMatrix,
	initializeLora,
	inputError,
	type LoadedModel,
	type LoraConfig,
	loadModel,
	loadTrainableModel,
	loraSpecs,
	type Model,
	type ModelConfig,
	type ModelFolder,
	type ParameterSpec,
	type Parameters,
	type PeftAdapter,
	type SafetensorsDtype,
	type TrainableModel,
} from '@vulntune/engine';
import { type HeadOptions, headSpecs, initializeHead, SCORE } from './head.ts';
import type { KeptStates, LowerStates } from './kept-states.ts';
import { initializePrefix, prefixesOf, prefixSpecs } from './prefix.ts';

/** What is trained: adapters on a frozen base, every weight, or the head alone. */
export type MethodOptions =
	| { readonly type: 'qlora' | 'lora'; readonly lora: LoraConfig }
	/** Keys and values in front of every function, `length` of them in each block (Li & Liang 2021). */
	| { readonly type: 'prefix'; readonly length: number }
	| { readonly type: 'full' }
	| { readonly type: 'head' };

export interface DetectorOptions {
	readonly method: MethodOptions;
	readonly base: BaseType;
	readonly doubleQuantization: boolean;
	/** Last blocks of a decoder in which a token also sees those after it; none if absent. */
	readonly bidirectionalLayers?: number;
	/** The classification head; undefined for the next-token objective, which has none. */
	readonly head: HeadOptions | undefined;
	/** Longest sequence that will be run. */
	readonly maxPositions: number;
	readonly seed: number;
	/** An adapter to start from instead of fresh matrices. */
	readonly start: PeftAdapter | undefined;
}

/** A base model with what is trained on it. */
export interface Detector {
	readonly backend: Backend;
	readonly model: Model;
	readonly parameters: Parameters;
	readonly head: HeadOptions | undefined;
	/** What the head has read of a base that isn't trained, [H] of each function; absent where states are computed each time. */
	readonly keptStates?: KeptStates;
	/** What the lowest block with an adapter has read of the blocks below it; likewise. */
	readonly lowerStates?: LowerStates;
	free(): void;
}

/** Loads the base, creates the trainable parameters and fills them: fresh from the seed, or from an adapter. */
export function createDetector(backend: Backend, folder: ModelFolder, options: DetectorOptions): Detector {
	const { method, maxPositions, seed } = options;
	const source: ModelSource = {
		config: folder.config,
		frozen: () => loadModel(backend, { ...folder, config: withoutLogits(folder.config, options) }, options),
		trainable: (extra) => loadTrainableModel(backend, folder, maxPositions, extra),
	};
	const { model, parameters, free } = createTrainables(backend, source, options);
	try {
		if (method.type === 'qlora' || method.type === 'lora') initializeLora(backend, parameters, seed);
		if (method.type === 'prefix') initializePrefix(backend, parameters, seed);
		initializeHead(backend, parameters, seed);
		if (options.start !== undefined) uploadAdapter(backend, parameters, options.start);
		return { backend, model, parameters, head: options.head, free };
	} catch (error) {
		free();
		throw error;
	}
}

/**
 * A detector of the sizes of a real one, for a backend that computes nothing: no file is read and no matrix filled.
 *
 * @param dtypeOf how the checkpoint stores a tensor
 */
export function createDryDetector(
	backend: Backend,
	config: ModelConfig,
	options: Omit<DetectorOptions, 'seed' | 'start'>,
	dtypeOf?: (name: string) => SafetensorsDtype,
): Detector {
	const source: ModelSource = {
		config,
		frozen: () => dryModel(backend, withoutLogits(config, options), options, dtypeOf),
		trainable: (extra) => dryTrainableModel(backend, config, options.maxPositions, extra),
	};
	return { backend, head: options.head, ...createTrainables(backend, source, options) };
}

/** Where a base comes from. */
interface ModelSource {
	readonly config: ModelConfig;
	frozen(): LoadedModel;
	/** With more that is trained beside its weights. */
	trainable(extra: readonly ParameterSpec[]): TrainableModel;
}

/** A head reads states: beside it an output matrix of the base's own would take memory for nothing, as much as the embeddings. */
function withoutLogits(config: ModelConfig, { head }: Pick<DetectorOptions, 'head'>): ModelConfig {
	return head === undefined || config.languageHead !== 'own' ? config : { ...config, languageHead: 'absent' };
}

/** The base with parameters that nobody has filled yet. */
function createTrainables(
	backend: Backend,
	source: ModelSource,
	{
		method,
		head: headOptions,
		bidirectionalLayers = 0,
	}: Pick<DetectorOptions, 'method' | 'head' | 'bidirectionalLayers'>,
): TrainableModel {
	const head = headOptions === undefined ? [] : headSpecs(source.config.hiddenSize, headOptions);
	if (method.type === 'full') return source.trainable(head);
	const { model, free } = source.frozen();
	try {
		const own = methodSpecs(method, source.config, model);
		const parameters = createParameters(backend, [...own, ...head]);
		const everything = () => {
			free();
			parameters.free();
		};
		const adapted = attach(model.withBidirectionalLayers(bidirectionalLayers), parameters, method);
		return { model: adapted, parameters, free: everything };
	} catch (error) {
		free();
		throw error;
	}
}

/** What a method trains besides the head. */
function methodSpecs(
	method: Exclude<MethodOptions, { type: 'full' }>,
	config: ModelConfig,
	{ linears }: Model,
): ParameterSpec[] {
	if (method.type === 'head') return [];
	return method.type === 'prefix' ? prefixSpecs(config, method.length) : loraSpecs(linears, method.lora);
}

/** The model with what is trained on it. */
function attach(
	model: Model,
	parameters: Parameters,
	method: Exclude<MethodOptions, { type: 'full' }>,
): Model {
	if (method.type === 'head') return model;
	if (method.type === 'prefix') return model.withPrefix(prefixesOf(parameters, model.config.layers));
	return model.replaceLinears(attachLora(parameters, method.lora));
}

/** Copies an adapter's matrices over the parameters; a missing head stays as it was initialised. Throws what `placedAdapter` throws. */
export function uploadAdapter(backend: Backend, parameters: Parameters, adapter: PeftAdapter): void {
	for (const [name, { values }] of placedAdapter(parameters.specs, adapter)) {
		backend.upload(parameters.get(name), values);
	}
}

/**
 * An adapter's matrices, and its head where the objective has one, under the names of the parameters that they are for. Throws
 * ADAPTER_MISMATCH where the adapter has a matrix that nothing has a place for, or the other way round.
 */
export function placedAdapter(
	specs: readonly ParameterSpec[],
	adapter: Pick<PeftAdapter, 'matrices' | 'head'>,
): ReadonlyMap<string, HostMatrix> {
	const shapes = new Map(specs.map(({ name, shape }) => [name, shape]));
	// an adapter of the other objective brings a head that nothing here has a place for, or none
	const usesHead = shapes.has(SCORE) && adapter.head.size > 0;
	const tensors = new Map([...adapter.matrices, ...(usesHead ? adapter.head : [])]);
	// an adapter of a base that was saved by itself has no prefix before its names
	const prefixed = new Map(specs.map(({ name }) => [name.slice(name.indexOf('.') + 1), name]));
	const placed = new Map<string, HostMatrix>();
	for (const [name, matrix] of tensors) {
		const place = shapes.has(name) ? name : prefixed.get(name);
		const own = place === undefined ? undefined : shapes.get(place);
		if (own?.join() !== matrix.shape.join()) {
			const expected = own === undefined ? 'no such matrix' : `[${own.join(', ')}]`;
			throw mismatch(`the adapter has ${name} [${matrix.shape.join(', ')}] where the method has ${expected}`);
		}
		placed.set(place!, matrix);
	}
	for (const { name } of specs) {
		if (name.includes('.lora_') && !placed.has(name)) throw mismatch(`the adapter has no ${name}`);
	}
	return placed;
}

function mismatch(message: string): Error {
	return inputError('ADAPTER_MISMATCH', message, {
		place: 'method.from',
		remedy: 'Use the rank, targets and base model that the adapter was made with.',
	});
}
