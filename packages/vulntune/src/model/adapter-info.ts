import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import {
	adaptedModules,
	inputError,
	loraScale,
	openSafetensors,
	readPeftAdapter,
	readPeftPrefix,
	VulntuneError,
} from '@vulntune/engine';
import { NGRAM_FILE } from '../baselines/ngram/file.ts';
import { type DetectorDescription, readDescription } from '../methods/description.ts';
import { describeMismatch, openBase } from './open-base.ts';

/** What `vulntune model info ADAPTER --json` prints; others script against the names. */
export interface AdapterInfo {
	readonly kind: 'adapter';
	readonly path: string;
	/** As the adapter names it. */
	readonly baseModel: string;
	/** Keys and values in front of every text; absent where there are none. */
	readonly prefix?: { readonly length: number; readonly layers: number; readonly parameters: number };
	/** null where a prefix or the head alone was trained. */
	readonly lora: {
		readonly rank: number;
		readonly alpha: number;
		/** Factor on B·A: alpha / rank, or alpha / √rank with rsLoRA. */
		readonly scale: number;
		readonly rsLora: boolean;
		readonly dropout: number;
		/** Last parts of the names of the adapted modules. */
		readonly targets: readonly string[];
		/** Modules that have an adapter. */
		readonly modules: number;
		/** The blocks that these are in, ascending. */
		readonly blocks: readonly number[];
		readonly parameters: number;
	} | null;
	/** Matrices of the classification head, in the order of the file; null where there is none. */
	readonly head: {
		readonly parameters: number;
		readonly tensors: Readonly<Record<string, readonly number[]>>;
	} | null;
	/** Of the files of weights. */
	readonly bytes: number;
	/** Whether what lies at the base's place is the base that the adapter was made on. */
	readonly base: {
		readonly state: 'same' | 'other' | 'absent' | 'unchecked';
		/** What differs, both sums named; null where nothing does or nothing is known. */
		readonly difference: string | null;
	};
	/** How it was trained and is to be run; null where another tool saved it. */
	readonly detector: DetectorDescription | null;
}

const headFile = 'head.safetensors';

/**
 * Describes an adapter folder, and compares its base with what lies at the place that it names, or at `model`.
 *
 * Throws what `readPeftAdapter` and `readPeftPrefix` throw, `MODEL_NOT_FOUND`, `MODEL_CONFIG_MISSING`.
 */
export function readAdapterInfo(folder: string, model?: string): AdapterInfo {
	const detector = readDescription(folder) ?? null;
	const bytes = weightBytes(folder);
	if (!existsSync(path.join(folder, 'adapter_config.json'))) {
		if (detector === null || !existsSync(path.join(folder, headFile))) throw nothingThere(folder);
		return {
			kind: 'adapter',
			path: folder,
			baseModel: detector.model,
			base: compareBase(model ?? detector.model, detector),
			lora: null,
			head: headOf(tensorShapes(path.join(folder, headFile))),
			bytes,
			detector,
		};
	}
	if (detector?.method === 'prefix') {
		const { baseModel, prompt, layers, head } = readPeftPrefix(folder);
		return {
			kind: 'adapter',
			path: folder,
			baseModel,
			base: compareBase(model ?? detector.model, detector),
			prefix: { length: prompt.shape[0]!, layers, parameters: prompt.values.length },
			lora: null,
			head: headOf(Object.fromEntries([...head].map(([name, { shape }]) => [name, shape]))),
			bytes,
			detector,
		};
	}
	const { config, baseModel, matrices, head } = readPeftAdapter(folder);
	const modules = adaptedModules(matrices.keys());
	return {
		kind: 'adapter',
		path: folder,
		baseModel,
		base: compareBase(model ?? detector?.model ?? baseModel, detector),
		lora: {
			rank: config.rank,
			alpha: config.alpha,
			scale: loraScale(config),
			rsLora: config.rsLora,
			dropout: config.dropout,
			targets: [...new Set(modules.map((name) => name.split('.').at(-1)!))].sort(),
			modules: modules.length,
			blocks: blocksOf(modules),
			parameters: [...matrices.values()].reduce((sum, { values }) => sum + values.length, 0),
		},
		head: headOf(Object.fromEntries([...head].map(([name, { shape }]) => [name, shape]))),
		bytes,
		detector,
	};
}

/** The first number in the name of a module is that of its block. */
function blocksOf(modules: readonly string[]): number[] {
	const blocks = modules.flatMap((name) => /\.(\d+)\./.exec(name)?.slice(1, 2).map(Number) ?? []);
	return [...new Set(blocks)].sort((a, b) => a - b);
}

function compareBase(model: string, detector: DetectorDescription | null): AdapterInfo['base'] {
	const recorded = detector?.baseFingerprint;
	if (!existsSync(model)) return { state: 'absent', difference: null };
	if (detector === null || recorded === undefined) return { state: 'unchecked', difference: null };
	const { objective, sequence } = detector;
	try {
		const base = openBase({ model, objective, sequence });
		base.close();
		const difference = describeMismatch(recorded, base.fingerprint) ?? null;
		return { state: difference === null ? 'same' : 'other', difference };
	} catch (error) {
		if (!(error instanceof VulntuneError)) throw error;
		return { state: 'other', difference: error.message };
	}
}

function headOf(tensors: Readonly<Record<string, readonly number[]>>): AdapterInfo['head'] {
	const shapes = Object.values(tensors);
	if (shapes.length === 0) return null;
	const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
	return { parameters: shapes.reduce((sum, shape) => sum + elements(shape), 0), tensors };
}

function tensorShapes(file: string): Record<string, readonly number[]> {
	const open = openSafetensors(file);
	open.close();
	return Object.fromEntries([...open.tensors].map(([name, { shape }]) => [name, shape]));
}

function weightBytes(folder: string): number {
	if (!existsSync(folder)) {
		throw inputError('MODEL_NOT_FOUND', 'there is no such folder', {
			place: folder,
			remedy: 'Give the folder of a model, an adapter or a run.',
		});
	}
	if (!statSync(folder).isDirectory()) throw nothingThere(folder);
	return readdirSync(folder)
		.filter((name) => name.endsWith('.safetensors'))
		.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
}

function nothingThere(folder: string): Error {
	if (existsSync(path.join(folder, NGRAM_FILE))) {
		return inputError('MODEL_CONFIG_MISSING', 'this is a run of n-grams, which have no model', {
			place: folder,
			remedy: `vulntune evaluate ${folder} scores with it; its report.html says what it reached.`,
		});
	}
	return inputError('MODEL_CONFIG_MISSING', 'there is neither a config.json nor an adapter_config.json', {
		place: folder,
		remedy: 'Give the folder of a model in Hugging Face layout, of an adapter, or of a run.',
	});
}
