import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../errors.ts';
import { writeFileAtomically } from '../formats/files.ts';
import { toFloat32 } from '../formats/floats.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { writeSafetensors } from '../formats/safetensors/writer.ts';
import { type LoraConfig, loraScale } from '../layers/lora.ts';
import { type AdapterConfig, readAdapterConfig } from './adapter-config.ts';

/** A LoRA adapter with its classification head, on the host. */
export interface PeftAdapter {
	readonly config: LoraConfig;
	/** The base model that it was made for, as written in adapter_config.json. */
	readonly baseModel: string;
	/** `<module>.lora_A.weight` [r, K] and `<module>.lora_B.weight` [N, r], without PEFT's prefix. */
	readonly matrices: ReadonlyMap<string, HostMatrix>;
	/**
	 * The classification head: `score.weight` [classes, H], and whatever a head with a hidden layer has besides under
	 * names that begin with `score.`; empty where there is none.
	 */
	readonly head: ReadonlyMap<string, HostMatrix>;
}

export interface HostMatrix {
	readonly shape: readonly number[];
	readonly values: Float32Array;
}

const PREFIX = 'base_model.model.';
const A = '.lora_A.weight';
const SCORE = 'score.weight';
const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';
const HEAD_FILE = 'head.safetensors';

/**
 * Reads an adapter folder as PEFT writes it: adapter_config.json and adapter_model.safetensors, with the head as
 * `base_model.model.score.weight` or as `weight` in a head.safetensors beside it.
 *
 * Throws ADAPTER_MISSING, ADAPTER_CONFIG for variants that can't be represented (see `adapterConfigKeys`) and
 * ADAPTER_WEIGHTS for a tensor that nothing reads, that isn't floating-point or holds NaN or infinity, for two heads that
 * differ, and where matrices don't come in pairs of the configured rank.
 */
export function readPeftAdapter(folder: string): PeftAdapter {
	const configFile = path.join(folder, CONFIG_FILE);
	const weightsFile = path.join(folder, WEIGHTS_FILE);
	for (const file of [configFile, weightsFile]) {
		if (existsSync(file)) continue;
		throw inputError('ADAPTER_MISSING', `there is no ${path.basename(file)}`, {
			place: folder,
			remedy: 'Give the adapter folder of a run, or one saved by PEFT with safetensors.',
		});
	}
	const { targets, baseModel, selects, rankOf, alphaOf, ...plainConfig } = readAdapterConfig(configFile);
	const tensors = readTensors(weightsFile);
	const matrices = new Map<string, HostMatrix>();
	const head = new Map<string, HostMatrix>();
	for (const [name, matrix] of tensors) {
		const plain = plainName(name);
		const kind = /\.lora_[AB]\.weight$/.test(plain)
			? matrices
			: plain.startsWith('score.')
				? head
				: undefined;
		if (kind === undefined) throw weightsError(weightsFile, `${name} is no LoRA matrix`, onlyMatrices);
		if (kind.has(plain)) throw weightsError(weightsFile, `${plain} is there twice, once as ${name}`);
		kind.set(plain, matrix);
	}
	checkPairs(weightsFile, matrices, rankOf);
	const idle = adaptedModules([...matrices.keys()]).find((module) => !selects(module));
	if (idle !== undefined) {
		const message = `${CONFIG_FILE} leaves out ${idle}, for which there are matrices: PEFT would not apply them`;
		throw weightsError(weightsFile, message);
	}
	const config = { ...plainConfig, targets: targets ?? adaptedModules([...matrices.keys()]) };
	const even = evenlyScaled(matrices, config, { rankOf, alphaOf });
	return { config, baseModel, matrices: even, head: withHeadFile(folder, head) };
}

/** The name of a tensor as the model has it. */
function plainName(name: string): string {
	const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
	// PEFT names a saved module by its adapter in some versions
	return bare.replace('.modules_to_save.', '.').replace(/\.default\.(weight|bias)$/, '.$1');
}

/** The modules that an adapter folder has matrices for, from the header of its weights alone. */
export function readPeftModules(folder: string): string[] {
	const { tensors, close } = openSafetensors(path.join(folder, WEIGHTS_FILE));
	close();
	return adaptedModules([...tensors.keys()].map(plainName));
}

/**
 * The modules that have an adapter. Stands for a `target_modules` that is "all-linear" or a regular expression of
 * Python's, and for lists that are narrowed to some layers: what they select is what lies in the weights.
 */
function adaptedModules(names: readonly string[]): string[] {
	return names.filter((name) => name.endsWith(A)).map(moduleOf);
}

function moduleOf(name: string): string {
	return name.replace(/\.lora_[AB]\.weight$/, '');
}

function readTensors(file: string): Map<string, HostMatrix> {
	const source = openSafetensors(file);
	try {
		const tensors = new Map<string, HostMatrix>();
		for (const [name, { dtype, shape }] of source.tensors) {
			if (!['F32', 'F16', 'BF16', 'F64'].includes(dtype)) {
				throw weightsError(file, `${name} must hold floating-point numbers, found ${dtype}`);
			}
			const values = toFloat32(source.read(name), dtype);
			const wrong = values.findIndex((value) => !Number.isFinite(value));
			if (wrong >= 0) throw weightsError(file, `${name} holds ${values[wrong]} as its element ${wrong}`);
			tensors.set(name, { shape, values });
		}
		return tensors;
	} finally {
		source.close();
	}
}

/** The head with what a head.safetensors beside the adapter has; two that differ would leave it to chance which is meant. */
function withHeadFile(
	folder: string,
	head: ReadonlyMap<string, HostMatrix>,
): ReadonlyMap<string, HostMatrix> {
	const file = path.join(folder, HEAD_FILE);
	if (!existsSync(file)) return head;
	const tensors = readTensors(file);
	const unread = [...tensors.keys()].find((name) => name !== 'weight');
	if (unread !== undefined) throw weightsError(file, `${unread} is no part of a head`, onlyMatrices);
	const [weight, own] = [tensors.get('weight'), head.get(SCORE)];
	if (weight === undefined) return head;
	if (own !== undefined && !isSameMatrix(own, weight)) {
		throw weightsError(
			file,
			`weight is not the ${SCORE} of ${WEIGHTS_FILE}`,
			'Remove the one that is not meant.',
		);
	}
	return new Map([...head, [SCORE, weight]]);
}

function isSameMatrix(a: HostMatrix, b: HostMatrix): boolean {
	return a.shape.join() === b.shape.join() && a.values.every((value, index) => value === b.values[index]);
}

/**
 * Matrices of one rank and one scale that compute the same: those of a smaller rank get rows of A and columns of B that are zero (and
 * stay zero in training, since each has the gradient that the other lets through), those of another scale a B that is scaled.
 */
function evenlyScaled(
	matrices: ReadonlyMap<string, HostMatrix>,
	config: LoraConfig,
	{ rankOf, alphaOf }: Pick<AdapterConfig, 'rankOf' | 'alphaOf'>,
): ReadonlyMap<string, HostMatrix> {
	const scale = loraScale(config);
	return new Map(
		[...matrices].map(([name, matrix]) => {
			const module = moduleOf(name);
			const rank = rankOf(module);
			const factor = loraScale({ ...config, rank, alpha: alphaOf(module) }) / scale;
			const isA = name.endsWith(A);
			const shape = isA ? [config.rank, matrix.shape[1]!] : [matrix.shape[0]!, config.rank];
			if (rank === config.rank && (isA || factor === 1)) return [name, matrix];
			return [name, { shape, values: padded(matrix, shape, isA ? 1 : factor) }];
		}),
	);
}

/** The matrix times a factor, with zeros below and on the right. */
function padded({ shape, values }: HostMatrix, wanted: readonly number[], factor: number): Float32Array {
	const [rows, columns] = shape as [number, number];
	const result = new Float32Array(wanted[0]! * wanted[1]!);
	for (let row = 0; row < rows; row++) {
		for (let column = 0; column < columns; column++) {
			result[row * wanted[1]! + column] = factor * values[row * columns + column]!;
		}
	}
	return result;
}

function checkPairs(
	file: string,
	matrices: ReadonlyMap<string, HostMatrix>,
	rankOf: AdapterConfig['rankOf'],
): void {
	for (const [name, { shape }] of matrices) {
		const isA = name.endsWith(A);
		const partner = isA ? name.replace('.lora_A.', '.lora_B.') : name.replace('.lora_B.', '.lora_A.');
		if (!matrices.has(partner)) throw weightsError(file, `${name} has no ${partner} beside it`);
		const rank = rankOf(moduleOf(name));
		const found = shape.length === 2 ? shape[isA ? 0 : 1] : undefined;
		if (found !== rank) {
			throw weightsError(file, `${name} should have rank ${rank} and has the shape [${shape.join(', ')}]`);
		}
	}
}

const onlyMatrices =
	'Only LoRA matrices and a classification head (score) are read: save the adapter without modules trained besides.';

function weightsError(file: string, message: string, remedy = 'Save the adapter again.'): Error {
	return inputError('ADAPTER_WEIGHTS', message, { place: file, remedy });
}

/**
 * Writes the two files, each whole or not at all; the head goes into the weights as PEFT's SEQ_CLS saves it.
 *
 * @param isPeftHead false for a head that SEQ_CLS doesn't run as it was trained (another pooling than the last token, a hidden
 * layer): the adapter then claims no more than the features that PEFT gets from its matrices
 */
export function writePeftAdapter(folder: string, adapter: PeftAdapter, { isPeftHead = true } = {}): void {
	const { config } = adapter;
	const modules = [...adapter.matrices.keys()].map((name) => name.split('.').at(-3)!);
	const json = {
		base_model_name_or_path: adapter.baseModel,
		bias: 'none',
		fan_in_fan_out: false,
		inference_mode: true,
		init_lora_weights: true,
		...(config.layersToTransform == null ? {} : { layers_to_transform: config.layersToTransform }),
		lora_alpha: config.alpha,
		lora_dropout: config.dropout,
		modules_to_save: adapter.head.size > 0 && isPeftHead ? ['score'] : null,
		peft_type: 'LORA',
		r: config.rank,
		target_modules: [...new Set(modules)].sort(),
		task_type: taskType(adapter, isPeftHead),
		use_dora: false,
		use_rslora: config.rsLora,
	};
	const tensors = [...adapter.matrices, ...adapter.head].map(
		([name, matrix]) => [`${PREFIX}${name}`, matrix] as const,
	);
	writeSafetensors(
		path.join(folder, WEIGHTS_FILE),
		tensors.map(([name, { shape, values }]) => ({
			name,
			dtype: 'F32' as const,
			shape,
			data: bytesOf(values),
		})),
		{ format: 'pt' },
	);
	const text = new TextEncoder().encode(`${JSON.stringify(json, null, '\t')}\n`);
	writeFileAtomically(path.join(folder, CONFIG_FILE), (append) => append(text));
}

function taskType({ head }: PeftAdapter, isPeftHead: boolean): string {
	if (head.size === 0) return 'CAUSAL_LM';
	return isPeftHead ? 'SEQ_CLS' : 'FEATURE_EXTRACTION';
}

function bytesOf(values: Float32Array): Uint8Array {
	return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
