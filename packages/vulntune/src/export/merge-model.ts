import { copyFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
	type Backend,
	checkRange,
	elements,
	expectedTensors,
	fileError,
	floatPrecision,
	largestFloat16,
	mergedWeights,
	roundToBfloat16,
	roundToFloat16,
	type SafetensorsEntry,
	writeShardedSafetensors,
	writeTextAtomically,
} from '@vulntune/engine';
import { stackedScores } from '../baselines/ngram/stack.ts';
import type { Config } from '../config/schema.ts';
import { DESCRIPTION, type DetectorDescription, STACK_FILE } from '../methods/description.ts';
import { blamingBase } from '../model/damaged-base.ts';
import { checkOutput, copyCompanions, installModel, makeStaging } from '../model/model-files.ts';
import { openBase } from '../model/open-base.ts';
import { headOf, loadSavedDetector } from '../scoring/configured-detector.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { type ClassifierForm, classifierForm } from './classifier-form.ts';
import { comparedTexts, type LogitDifference, logitDifference, logitsOf } from './compare-logits.ts';
import { stopIfInterrupted } from './interrupted.ts';
import { type MergedType, readBaseConfig, writeMergedConfig } from './merged-config.ts';
import { type Exported, type ExportedFrom, openExportBackend, openExported } from './open-exported.ts';

export interface MergeOptions extends ExportedFrom {
	readonly output: string;
	readonly type: MergedType;
	readonly overwrite: boolean;
	/** Functions whose logits are compared; 0 for none, which saves loading the model twice. */
	readonly compare: number;
	/** Above this size the weights are spread over several files; default 5 GB. */
	readonly maxShardBytes?: number;
	readonly progress?: (done: number, total: number) => void;
	readonly note?: (line: string) => void;
	readonly signal?: AbortSignal;
}

/** What `vulntune model merge --json` prints; others script against the names. */
export interface MergeReport {
	readonly run: string;
	readonly base: string;
	readonly output: string;
	readonly type: MergedType;
	/** The class of transformers that opens it. */
	readonly architecture: string;
	/** Matrices that an adapter was added to. */
	readonly adapted: number;
	/** Of the weights, in `output`. */
	readonly files: readonly string[];
	readonly bytes: number;
	/** Between the detector and the merged model, in float32; null where nothing was compared. */
	readonly difference: LogitDifference | null;
	/** What a user of the folder must know. */
	readonly warnings: readonly string[];
}

/**
 * Writes a detector as one model: the adapter added to the values that its base had (restored, where it was quantised) in float32, with
 * the head, in the layout that transformers opens; `vulntune evaluate` takes the folder too, and so does `model:`. One tensor at a time
 * is in memory; the output appears whole or not at all.
 *
 * Throws what `openExported` throws, MODEL_OUTPUT_EXISTS, MODEL_OUTPUT_SAME, EXPORT_FAMILY, EXPORT_RANGE, DISK_FULL, INTERRUPTED.
 */
export async function mergeModel(options: MergeOptions): Promise<MergeReport> {
	const { note = () => {} } = options;
	const exported = openExported(options, note);
	try {
		checkOutput([exported.config.model, exported.adapter], options.output, options.overwrite);
		const backend = openExportBackend(exported, options.overrides, note);
		const staging = makeStaging(options.output);
		try {
			const report = await blamingBase(exported.base.folder, () =>
				writeMerged(exported, staging, backend, options),
			);
			installModel(staging, options.output);
			return report;
		} finally {
			rmSync(staging, { recursive: true, force: true });
			backend.close();
		}
	} finally {
		exported.base.close();
	}
}

async function writeMerged(
	exported: Exported,
	staging: string,
	backend: Backend,
	options: MergeOptions,
): Promise<MergeReport> {
	const { run, output, type, maxShardBytes } = options;
	const { base, config, lora } = exported;
	const form = formOf(exported);
	const entries = mergedEntries(exported, form, backend, options);
	const files = writeShardedSafetensors(staging, entries, {
		metadata: { format: 'pt' },
		...(maxShardBytes === undefined ? {} : { maxShardBytes }),
	});
	copyCompanions(base.folder.path, staging);
	writeMergedConfig(staging, exported, form, type);
	writeDescription(staging, exported);
	if (exported.stack !== undefined) copyStack(exported.adapter, staging);
	const difference = options.compare === 0 ? null : await compareMerged(exported, staging, backend, options);
	return {
		run,
		base: config.model,
		output,
		type,
		architecture: form.architecture,
		adapted: (lora?.matrices.size ?? 0) / 2,
		files,
		bytes: entries.reduce((sum, { dtype, shape }) => sum + elements(shape) * (dtype === 'F32' ? 4 : 2), 0),
		difference,
		warnings: [form.warning, precisionWarning(exported)].filter((warning) => warning !== undefined),
	};
}

/** Products in 8 bits are made with a base that is held apart from its adapters; the folder has none. */
function precisionWarning({ description }: Exported): string | undefined {
	const own = description?.precision;
	if (own === undefined || own === floatPrecision(own)) return undefined;
	return `the run scores in ${own} and the folder in ${floatPrecision(own)}, at the run's threshold: probabilities differ in the last digits. By how much, vulntune evaluate tells of the run with --precision ${floatPrecision(own)}.`;
}

/** How transformers is to take the detector. */
function formOf(exported: Exported): ClassifierForm {
	const { base, config, head } = exported;
	const { model_type: modelType } = readBaseConfig(exported);
	const options = headOf(config);
	const ownHead = options && { options, tensors: head };
	return classifierForm(String(modelType), base.folder.config, ownHead);
}

/** The weights of the merged model, each made when it is written; the head stays in float32 whatever the model is written in. */
function mergedEntries(
	{ base, config, head, lora }: Exported,
	form: ClassifierForm,
	backend: Backend,
	{ type, progress, signal, output }: MergeOptions,
): SafetensorsEntry[] {
	const { base: held, doubleQuantization } = config.method;
	const weightOf = mergedWeights(backend, base.folder, {
		base: held,
		doubleQuantization,
		adapter: lora,
	});
	const tensors = expectedTensors(base.folder.config).filter(
		// a classifier says no next token
		({ kind }) => config.objective === 'nextToken' || kind !== 'head',
	);
	let done = 0;
	const ofBase = tensors.map((tensor): SafetensorsEntry => {
		const data = () => {
			stopIfInterrupted(signal, output);
			const values = weightOf(tensor);
			checkRange(tensor.name, values, { type, largest: largest[type] }, 'Write it with --type bf16 or fp32.');
			progress?.(++done, tensors.length);
			return encodeFloats(values, type);
		};
		return { name: tensor.name, dtype: fileTypes[type], shape: tensor.shape, data };
	});
	const ofHead = [...head, ...form.tensors].map(
		([name, { shape, values }]): SafetensorsEntry => ({
			name,
			dtype: 'F32',
			shape,
			data: encodeFloats(values, 'fp32'),
		}),
	);
	return [...ofBase, ...ofHead];
}

/** Between the largest bfloat16 and the largest float32 no weight lies that makes sense. */
const largest = { fp32: Number.MAX_VALUE, bf16: 3.38e38, f16: largestFloat16 } as const;
const fileTypes = { fp32: 'F32', bf16: 'BF16', f16: 'F16' } as const;

function encodeFloats(values: Float32Array, type: MergedType): Uint8Array {
	const { buffer, byteOffset, byteLength } =
		type === 'fp32' ? values : type === 'bf16' ? roundToBfloat16(values) : roundToFloat16(values);
	return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What vulntune scores the folder with: a detector all of whose weights are its own. An adapter that another tool saved has none. */
function writeDescription(folder: string, { description }: Exported): void {
	if (description === undefined) return;
	const { baseFingerprint: _base, earlierBases: _earlier, ...kept } = description;
	const merged: DetectorDescription = {
		...kept,
		model: '.',
		method: 'full',
		base: 'fp32',
		doubleQuantization: false,
		trained: description.trained ?? { method: description.method, base: description.base },
		precision: floatPrecision(description.precision),
	};
	writeTextAtomically(path.join(folder, DESCRIPTION), `${JSON.stringify(merged, null, '\t')}\n`);
}

/** The n-grams whose score the head sees, as they are. */
function copyStack(adapter: string, folder: string): void {
	try {
		copyFileSync(path.join(adapter, STACK_FILE), path.join(folder, STACK_FILE));
	} catch (error) {
		throw fileError(error, path.join(folder, STACK_FILE), 'written');
	}
}

/** The logits of the detector as it was, and of the merged model as it lies on the disk. One of them is in memory at a time. */
async function compareMerged(
	exported: Exported,
	staging: string,
	backend: Backend,
	{ compare }: MergeOptions,
): Promise<LogitDifference> {
	const { adapter, base, config, stack } = exported;
	const scoring = scoringOf(config, base.tokenizer, base.folder.config);
	const { functions, texts } = await comparedTexts(exported, compare);
	const tokens = texts.map((text) => base.tokenizer.encode(text));
	const read = { tokens, stackedScores: stack && stackedScores(stack, texts) };
	const logitsIn = (of: Config, folder: typeof base.folder, saved: string) => {
		const detector = loadSavedDetector(of, backend, folder, saved);
		try {
			return logitsOf(detector, read, scoring);
		} finally {
			detector.free();
		}
	};
	const before = logitsIn(config, base.folder, adapter);
	const merged: Config = {
		...config,
		model: staging,
		method: { ...config.method, type: 'full', base: 'fp32' },
	};
	const opened = openBase(merged);
	try {
		return logitDifference(before, logitsIn(merged, opened.folder, staging), functions);
	} finally {
		opened.close();
	}
}
