import { rmSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
	type Backend,
	createBackend,
	dequantizeMatrix,
	type ErrorSums,
	errorSums,
	expectedTensors,
	headTensor,
	inputError,
	type ModelFolder,
	makeFolder,
	openModelFolder,
	openSafetensors,
	type QuantizedMatrix,
	type QuantizedType,
	quantizedMatrixEntries,
	quantizeMatrix,
	quantizeStored,
	readFloat32,
	type SafetensorsEntry,
	VulntuneError,
	writeSafetensors,
	writeShardedSafetensors,
} from '@vulntune/engine';
import { blamingBase } from './damaged-base.ts';
import { createErrorTable, type MatrixErrors } from './error-table.ts';
import { checkOutput, copyCompanions, installModel, makeStaging } from './model-files.ts';
import { writeQuantizedConfig } from './quantized-config.ts';

export interface QuantizeOptions {
	/** Model folder in Hugging Face layout, not quantised yet. */
	readonly model: string;
	readonly output: string;
	readonly type: QuantizedType;
	/** Quantise the scales of nf4 and fp4 too. */
	readonly doubleQuantization: boolean;
	readonly overwrite: boolean;
	/** Above this size the weights are spread over several files; default 5 GB. */
	readonly maxShardBytes?: number;
	readonly progress?: (done: number, total: number, matrix: string) => void;
	readonly signal?: AbortSignal;
}

export interface QuantizeReport {
	readonly model: string;
	readonly output: string;
	readonly type: QuantizedType;
	/** null for types that have none. */
	readonly doubleQuantization: boolean | null;
	/** Of the weights, in `output`. */
	readonly files: readonly string[];
	/** Of all weights. */
	readonly bytesBefore: number;
	readonly bytesAfter: number;
	/** Of the quantised matrices, with their scales and codebooks. */
	readonly bitsPerWeight: number;
	/** Restored against original weights, by kind of matrix (`q_proj`) in the order of the model. */
	readonly errors: Readonly<Record<string, MatrixErrors>>;
	readonly total: MatrixErrors;
}

/**
 * Writes a copy of a model whose linear layers inside the blocks are quantised, in bitsandbytes' layout (nf4, fp4) or ours, that needs
 * the original no more. Embeddings, norms, the output matrix and heads stay as they are. One matrix at a time is in memory; the output
 * appears whole or not at all, and takes twice its size of disk while it is made.
 *
 * Throws what `openModelFolder` throws, `MODEL_QUANTIZED`, `MODEL_OUTPUT_EXISTS`, `MODEL_OUTPUT_SAME`, `DISK_FULL`, `INTERRUPTED`.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeReport> {
	const { model, output, overwrite } = options;
	const source = openModelFolder(model);
	try {
		refuseQuantized(source);
		checkOutput([model], output, overwrite);
		const staging = makeStaging(output);
		try {
			const report = await blamingBase(source, () => writeQuantized(source, staging, options));
			installModel(staging, output);
			return report;
		} finally {
			rmSync(staging, { recursive: true, force: true });
		}
	} finally {
		source.close();
	}
}

function refuseQuantized(source: ModelFolder): void {
	const { quantization } = source.config;
	if (quantization === undefined) return;
	throw inputError('MODEL_QUANTIZED', `the model is quantised already (${quantization.type})`, {
		place: source.path,
		remedy: 'Give the original: quantising twice adds up both errors.',
	});
}

async function writeQuantized(
	source: ModelFolder,
	staging: string,
	options: QuantizeOptions,
): Promise<QuantizeReport> {
	const { model, output, type, doubleQuantization, maxShardBytes } = options;
	const scratch = path.join(staging, 'scratch');
	makeFolder(scratch);
	const { entries, errors, kept, quantizedBytes } = await onBackend((backend) =>
		quantizeTensors(source, scratch, options, backend),
	);
	const files = writeShardedSafetensors(staging, entries, {
		metadata: { format: 'pt' },
		...(maxShardBytes === undefined ? {} : { maxShardBytes }),
	});
	rmSync(scratch, { recursive: true });
	copyCompanions(model, staging);
	writeQuantizedConfig(source, staging, type, doubleQuantization, kept);
	const written = openModelFolder(staging);
	const bytesAfter = storedBytes(written);
	written.close();
	const total = errors.total();
	return {
		model,
		output,
		type,
		doubleQuantization: type === 'nf4' || type === 'fp4' ? doubleQuantization : null,
		files,
		bytesBefore: storedBytes(source),
		bytesAfter,
		bitsPerWeight: (8 * quantizedBytes) / total.weights,
		errors: errors.byKind(),
		total,
	};
}

/** Runs `body` with the fastest backend of this machine: all of them make the same codes. */
async function onBackend<Result>(body: (backend: Backend) => Promise<Result>): Promise<Result> {
	const backend = createBackend({ type: 'auto', isa: 'auto', threads: 'auto' }, () => {});
	try {
		return await body(backend);
	} finally {
		backend.close();
	}
}

/**
 * The tensors of the new model, in order. What comes of a matrix goes to a scratch file at once, since a safetensors file orders its
 * tensors in another way than they are made.
 */
async function quantizeTensors(
	source: ModelFolder,
	scratch: string,
	options: QuantizeOptions,
	backend: Backend,
) {
	const { weights } = source;
	const { type, doubleQuantization, signal } = options;
	const tensors = expectedTensors(source.config);
	const quantize = (name: string): { matrix: QuantizedMatrix; errors: ErrorSums } => {
		if (type === 'nf4' || type === 'fp4') {
			return quantizeStored(backend, weights, name, type, doubleQuantization);
		}
		const values = readFloat32(weights, name); // [N, K]
		const [rows, columns] = weights.info(name)!.shape;
		const matrix = quantizeMatrix(values, [rows!, columns!], type);
		return { matrix, errors: errorSums(values, dequantizeMatrix(matrix)) };
	};
	const total = tensors.filter(({ kind }) => kind === 'linear').length;
	const entries: SafetensorsEntry[] = [];
	const errors = createErrorTable();
	let quantizedBytes = 0;
	let done = 0;
	for (const { name, shape, kind } of tensors) {
		const { dtype } = weights.info(name)!;
		if (kind !== 'linear') {
			entries.push({ name, dtype, shape, data: () => weights.read(name) });
			continue;
		}
		if (signal?.aborted === true) throw interrupted(options.output);
		const { matrix, errors: sums } = quantize(name);
		errors.add(name, sums);
		const file = path.join(scratch, `${done}.safetensors`);
		const parts = quantizedMatrixEntries(name, matrix);
		writeSafetensors(file, parts);
		for (const part of parts) {
			quantizedBytes += (part.data as Uint8Array).byteLength;
			// of the part no more than its name is kept: its bytes lie in the scratch file
			const { name: partName, dtype: partType, shape: partShape } = part;
			entries.push({
				...{ name: partName, dtype: partType, shape: partShape },
				data: () => readTensor(file, partName),
			});
		}
		done += 1;
		options.progress?.(done, total, name);
		await setImmediate(); // progress and Ctrl-C get their turn
	}
	const kept = besideBase(source);
	for (const name of kept) entries.push({ name, ...weights.info(name)!, data: () => weights.read(name) });
	return { entries, errors, kept, quantizedBytes };
}

/** Heads and other floating-point tensors that a checkpoint has besides its base: they stay as they are. */
function besideBase({ config, weights }: ModelFolder): readonly string[] {
	const ofBase = new Set([...expectedTensors(config), headTensor(config)].map((tensor) => tensor?.name));
	const isFloat = (name: string) => ['F64', 'F32', 'F16', 'BF16'].includes(weights.info(name)!.dtype);
	return weights.names.filter((name) => !ofBase.has(name) && isFloat(name));
}

function readTensor(file: string, name: string): Uint8Array {
	const open = openSafetensors(file);
	try {
		return open.read(name);
	} finally {
		open.close();
	}
}

function storedBytes({ weights }: ModelFolder): number {
	return weights.names.reduce((sum, name) => sum + weights.info(name)!.byteLength, 0);
}

function interrupted(output: string): VulntuneError {
	return new VulntuneError({
		code: 'INTERRUPTED',
		kind: 'interrupted',
		message: 'stopped before the model was whole; nothing was written',
		place: output,
		remedy: 'Run the same command again.',
	});
}
