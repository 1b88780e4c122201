import { rmSync } from 'node:fs';
import {
	type Backend,
	createBackend,
	inputError,
	type ModelFolder,
	openModelFolder,
	openPlannedSafetensors,
	type QuantizedType,
} from '@vulntune/engine';
import { readDescription } from '../methods/description.ts';
import { blamingBase } from './damaged-base.ts';
import type { ErrorTable, MatrixErrors } from './error-table.ts';
import { checkOutput, copyCompanions, copyDetectorFiles, installModel, makeStaging } from './model-files.ts';
import { planTensors } from './quantize-plan.ts';
import { quantizeTensors } from './quantize-tensors.ts';
import { writeQuantizedConfig } from './quantized-config.ts';
import { quantizedDetector } from './quantized-detector.ts';

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
	/** What a user of the folder must know. */
	readonly warnings: readonly string[];
}

/**
 * Writes a copy of a model whose linear layers inside the blocks are quantised, in bitsandbytes' layout (nf4, fp4) or ours, that needs
 * the original no more. Embeddings, norms, the output matrix and heads stay as they are. Two matrices at a time are in memory, one that is
 * quantised and one that is read meanwhile; the output appears whole or not at all.
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
	const plan = planTensors(source, options);
	const target = await openPlannedSafetensors(staging, plan.tensors, {
		metadata: { format: 'pt' },
		...(maxShardBytes === undefined ? {} : { maxShardBytes }),
	});
	let errors: ErrorTable;
	let files: readonly string[];
	try {
		errors = await onBackend((backend) => quantizeTensors(source, target, plan, options, backend));
		files = target.finish();
	} finally {
		target.discard();
	}
	copyCompanions(model, staging);
	copyDetectorFiles(model, staging);
	writeQuantizedConfig(source, staging, type, doubleQuantization, plan.besideBase);
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
		bitsPerWeight: (8 * plan.quantizedBytes) / total.weights,
		errors: errors.byKind(),
		total,
		warnings: readDescription(staging) === undefined ? [] : [quantizedDetector(type)],
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

function storedBytes({ weights }: ModelFolder): number {
	return weights.names.reduce((sum, name) => sum + weights.info(name)!.byteLength, 0);
}
