import {
	type Backend,
	inputError,
	isQuantizedType,
	type ModelConfig,
	type ModelFolder,
	type PeftAdapter,
} from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import {
	createDetector,
	type Detector,
	type DetectorOptions,
	type MethodOptions,
} from '../methods/detector.ts';
import type { HeadOptions } from '../methods/head.ts';
import { restoreDetector } from '../methods/saved-detector.ts';

/** The method of a config. Throws METHOD_UNAVAILABLE for those that train no transformer here. */
export function methodOf(config: Config): MethodOptions {
	const { type, rank, alpha, dropout, targets, layersToTransform, rsLora } = config.method;
	if (type === 'qlora' || type === 'lora') {
		return { type, lora: { rank, alpha, dropout, targets, layersToTransform, rsLora } };
	}
	if (type === 'prefix') return { type, length: config.method.prefixLength };
	if (type === 'full' || type === 'head') return { type };
	throw inputError('METHOD_UNAVAILABLE', `the method ${type} is not in this version`, {
		place: 'method.type',
		remedy: 'Use qlora, lora, prefix, full, head or ngram.',
	});
}

/** Positions of the longest sequence, with what a method puts in front of it. */
export function positionsOf({ sequence, method }: Config): number {
	return sequence.length + (method.type === 'prefix' ? method.prefixLength : 0);
}

/**
 * Loads the base model of a config and what is trained on it.
 *
 * @param start the adapter whose matrices it begins with, instead of fresh ones
 */
export function createDetectorOf(
	config: Config,
	backend: Backend,
	folder: ModelFolder,
	start?: PeftAdapter,
): Detector {
	return createDetector(backend, folder, { ...detectorOptions(config), seed: config.training.seed, start });
}

/** The classification head of a config; undefined for the next-token objective, which has none. */
export function headOf({ objective, head, method }: Config): HeadOptions | undefined {
	return objective === 'class' ? { ...head, stacked: method.stack !== null } : undefined;
}

/** What a config's detector is, without its first values. */
export function detectorOptions(config: Config): Omit<DetectorOptions, 'seed' | 'start'> {
	return {
		method: methodOf(config),
		base: config.method.base,
		doubleQuantization: config.method.doubleQuantization,
		bidirectionalLayers: config.method.bidirectionalLayers,
		head: headOf(config),
		maxPositions: positionsOf(config),
	};
}

/** The config of a detector that is only scored with: where all weights were trained they lie frozen, as the file has them. */
export function savedConfig(config: Config, model: ModelConfig): Config {
	if (config.method.type !== 'full') return config;
	// stored in few bits by `model quantize`, they stay in these
	const stored = model.quantization?.type;
	const base = isQuantizedType(stored) ? stored : 'fp32';
	return { ...config, method: { ...config.method, type: 'head', base } };
}

/**
 * A detector as it was saved, to score with.
 *
 * Throws ADAPTER_MISMATCH where what was saved doesn't fit its base.
 */
export function loadSavedDetector(
	config: Config,
	backend: Backend,
	folder: ModelFolder,
	adapter: string,
): Detector {
	const detector = createDetectorOf(savedConfig(config, folder.config), backend, folder);
	try {
		restoreDetector(adapter, detector, config.method.type as MethodOptions['type']);
		return detector;
	} catch (error) {
		detector.free();
		throw error;
	}
}
