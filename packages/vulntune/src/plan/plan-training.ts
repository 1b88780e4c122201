import { existsSync } from 'node:fs';
import {
	type BaseType,
	createBackend,
	elements,
	inputError,
	loraSpecs,
	type Precision,
} from '@vulntune/engine';
import { loadAuditedDataset } from '../audit/training-dataset.ts';
import type { Config } from '../config/schema.ts';
import type { FunctionRow } from '../data/row.ts';
import { type DataSummary, summarizeData } from '../data/summary.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { tokenizeRows } from '../data/tokenize.ts';
import { textRows } from '../evaluation/evaluated-rows.ts';
import { openTrainingBase } from '../fine-tuning/start-adapter.ts';
import { headSpecs } from '../methods/head.ts';
import { checkBaseModel } from '../model/base-model.ts';
import { type Base, checkPositions } from '../model/open-base.ts';
import type { PackingOptions } from '../packing/options.ts';
import { type PackPlan, packFunctions } from '../packing/pack-functions.ts';
import { methodOf } from '../scoring/configured-detector.ts';
import { scoringPacking } from '../scoring/score-split.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { estimateBytes, estimateFlops } from '../sizing/estimates.ts';
import { measureFlops } from '../sizing/measure-speed.ts';
import { availableMemory } from '../sizing/memory.ts';
import { knownModel, shapeOf, type TransformerShape } from '../sizing/model-shape.ts';
import { warmupNote } from '../training/schedule.ts';

/** What `train --dry-run` prints for a method that trains a transformer: what a run would do and cost. Estimates say that they are. */
export interface TrainingPlan {
	readonly model: {
		readonly name: string;
		/** Whether the shape is the folder's own, or the published one of a model that isn't here. */
		readonly source: 'folder' | 'published';
		readonly layers: number;
		readonly hiddenSize: number;
		readonly parameters: number;
	};
	readonly method: string;
	readonly base: string;
	/** Arithmetic of the matrix products. */
	readonly precision: Precision;
	readonly trainable: number;
	readonly trainableShare: number;
	readonly data: DataPlan | { readonly missing: string };
	readonly memoryBytes: {
		readonly base: number;
		readonly trained: number;
		readonly activations: number;
		readonly total: number;
	};
	readonly backend: string;
	/** null where the data is missing. */
	readonly seconds: { readonly epoch: number; readonly total: number } | null;
	/** Of the matrix products of the whole run; null where the data is missing. */
	readonly operations: number | null;
	/** What this process may use. */
	readonly availableBytes: number;
	readonly output: string;
}

interface DataPlan {
	readonly rows: { readonly train: number; readonly valid: number; readonly test: number };
	readonly summary: DataSummary;
	/** Whether tokens were counted by the model's tokenizer or guessed from characters. */
	readonly tokens: 'counted' | 'estimated';
	readonly packs: number;
	readonly tokensPerEpoch: number;
	readonly efficiency: number;
	/** Tokens that are computed once for several functions, so that they are in `tokensPerEpoch` once. */
	readonly sharedTokens: number;
	/** Tokens of the fullest sequence. */
	readonly largestPack: number;
	/** Train functions that are left out or cut as too long. */
	readonly ignored: number;
	readonly truncated: number;
	readonly steps: number;
	/** Where the warm-up is longer than the run lets it be: what becomes of it. */
	readonly warmup: string | null;
	readonly validationTokens: number;
}

/** As a run has them. */
export interface PlanOptions {
	readonly allowOtherBase: boolean;
	readonly note: (line: string) => void;
}

/** Characters of Java a token stands for in a code tokenizer, where there is none to ask. */
const CHARACTERS_PER_TOKEN = 3.6;

/**
 * Plans a run without training: counts parameters and packs, estimates memory and time. A model that isn't at hand is
 * planned by its published shape; throws MODEL_NOT_FOUND where there is none, and whatever a run would refuse in the config.
 */
export async function planTraining(
	config: Config,
	options: PlanOptions = { allowOtherBase: false, note: () => {} },
): Promise<TrainingPlan> {
	const { shape, source, name, base } = modelOf(config, options);
	const { precision } = config.training;
	const trainable = countTrainable(config, shape);
	const data = await planData(config, base, options.note);
	const memory = estimateBytes(shape, {
		base: config.method.base as BaseType,
		trainable,
		full: config.method.type === 'full',
		tokens: Math.max(config.sequence.length, 'missing' in data ? 0 : data.largestPack),
		checkpointing: config.training.checkpointing,
	});
	const backend = createBackend(config.backend, () => {});
	try {
		const flopsPerSecond = measureFlops(backend, precision);
		const operations = 'missing' in data ? null : operationsPerEpoch(config, shape, data);
		const { epochs } = config.training;
		return {
			model: {
				name,
				source,
				layers: shape.layers,
				hiddenSize: shape.hiddenSize,
				parameters: shape.parameters,
			},
			method: config.method.type,
			base: config.method.base,
			precision,
			trainable,
			trainableShare: trainable / shape.parameters,
			data,
			memoryBytes: memory,
			backend: `${backend.name} (${backend.description})`,
			seconds:
				operations === null
					? null
					: { epoch: operations / flopsPerSecond, total: (operations / flopsPerSecond) * epochs },
			operations: operations === null ? null : operations * epochs,
			availableBytes: availableMemory(),
			output: config.output,
		};
	} finally {
		backend.close();
	}
}

type PlannedBase = Pick<Base, 'folder' | 'tokenizer'>;

/** The model that a plan is made for. */
interface PlannedModel {
	readonly shape: TransformerShape;
	readonly source: 'folder' | 'published';
	readonly name: string;
	/** undefined where the model isn't at hand. */
	readonly base: PlannedBase | undefined;
}

function modelOf(config: Config, { allowOtherBase, note }: PlanOptions): PlannedModel {
	if (existsSync(config.model)) {
		const { base } = openTrainingBase(config, allowOtherBase, note);
		base.close();
		return { shape: shapeOf(base.folder.config), source: 'folder', name: config.model, base };
	}
	const known = knownModel(config.model);
	if (known !== undefined) {
		checkPositions(config.sequence.length, known);
		return { shape: shapeOf(known), source: 'published', name: config.model, base: undefined };
	}
	checkBaseModel(config.model);
	throw inputError('MODEL_NOT_FOUND', 'there is no such model folder, and its shape is not known', {
		place: config.model,
		remedy: 'Give a folder in Hugging Face layout (config.json, tokenizer.json, *.safetensors) as model.',
	});
}

function countTrainable(config: Config, shape: TransformerShape): number {
	const method = methodOf(config);
	const sizes = headSpecs(shape.hiddenSize, config.head).map((spec) => elements(spec.shape));
	const head = config.objective === 'class' ? sizes.reduce((sum, size) => sum + size, 0) : 0;
	if (method.type === 'full') return shape.parameters + head;
	if (method.type === 'head') return head;
	const layers = shape.matrices.map(({ name, rows, columns }) => ({
		name,
		weight: { shape: [rows, columns] },
	}));
	return head + loraSpecs(layers, method.lora).reduce((sum, spec) => sum + elements(spec.shape), 0);
}

/** The lengths of a split's functions, and their tokens where there is a tokenizer. */
interface PlannedSplit {
	readonly lengths: readonly number[];
	readonly tokens?: readonly Int32Array[];
}

function packSplit({ lengths, tokens }: PlannedSplit, packing: PackingOptions): PackPlan {
	if (tokens !== undefined) return packFunctions(lengths, packing, { tokens });
	// what functions have in common can't be guessed
	return packFunctions(lengths, { ...packing, sharePrefixes: false });
}

async function planData(
	config: Config,
	base: PlannedBase | undefined,
	note: (line: string) => void,
): Promise<TrainingPlan['data']> {
	if (!existsSync(config.data.path)) return { missing: config.data.path };
	const { collapseWhitespace } = config.data;
	const dataset = await loadAuditedDataset(config.data, note);
	const read = async (rows: readonly FunctionRow[]): Promise<PlannedSplit> => {
		if (base === undefined) {
			const texts = textRows(rows, collapseWhitespace);
			return { lengths: texts.map(({ text }) => Math.ceil(text.length / CHARACTERS_PER_TOKEN)) };
		}
		const cacheFolder = defaultTokenCacheFolder();
		const tokens = await tokenizeRows(rows, base.tokenizer, { collapseWhitespace, cacheFolder });
		return { lengths: tokens.map((ids) => ids.length), tokens };
	};
	const { packing, tokens } =
		base === undefined
			? { packing: config.sequence, tokens: { leading: [], separator: 0, suffix: [] } }
			: scoringOf(config, base.tokenizer, base.folder.config);
	const [trainRows, validRows, testRows] = [
		await read(dataset.splits.train),
		await read(dataset.splits.valid),
		await read(dataset.splits.test),
	];
	const train = packSplit(trainRows, packing);
	const valid = packSplit(validRows, scoringPacking(packing, tokens));
	const { splits, leftOut } = dataset;
	const ofSplits = {
		train: { rows: splits.train, lengths: trainRows.lengths },
		valid: { rows: splits.valid, lengths: validRows.lengths },
		test: { rows: splits.test, lengths: testRows.lengths },
	};
	const summary = summarizeData(
		ofSplits,
		packing.length - tokens.leading.length - tokens.suffix.length,
		leftOut,
	);
	const steps = Math.ceil(train.packs.length / config.training.accumulation) * config.training.epochs;
	const { warmupSteps } = config.training;
	return {
		rows: {
			train: trainRows.lengths.length,
			valid: validRows.lengths.length,
			test: testRows.lengths.length,
		},
		summary,
		tokens: base === undefined ? 'estimated' : 'counted',
		packs: train.packs.length,
		tokensPerEpoch: train.tokens,
		efficiency: train.efficiency,
		sharedTokens: train.sharedTokens,
		largestPack: train.largestPack,
		ignored: train.ignored.length,
		truncated: train.truncated.length,
		steps,
		warmup: warmupNote({ warmupSteps, totalSteps: steps }) ?? null,
		validationTokens: valid.tokens,
	};
}

function operationsPerEpoch(config: Config, shape: TransformerShape, data: DataPlan): number {
	const { type } = config.method;
	const flops = estimateFlops(shape, {
		backward: type === 'head' ? 'none' : type === 'full' ? 'all' : 'inputs',
		checkpointing: config.training.checkpointing,
	});
	return data.tokensPerEpoch * flops.training + data.validationTokens * flops.forward;
}
