import { existsSync } from 'node:fs';
import {
	type Checkpointing,
	elements,
	inputError,
	loraSpecs,
	type ModelConfig,
	type Precision,
} from '@vulntune/engine';
import { loadAuditedDataset } from '../audit/training-dataset.ts';
import type { Config } from '../config/schema.ts';
import type { Dataset } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { type DataSummary, summarizeData } from '../data/summary.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { tokenizeRows } from '../data/tokenize.ts';
import { textRows } from '../evaluation/evaluated-rows.ts';
import { describeStackFolds, stackFolds } from '../fine-tuning/stack-ngram.ts';
import { openTrainingBase } from '../fine-tuning/start-adapter.ts';
import { headSpecs } from '../methods/head.ts';
import { checkBaseModel } from '../model/base-model.ts';
import { type Base, checkPositions } from '../model/open-base.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import { type PackedFunctions, type PackPlan, packFunctions } from '../packing/pack-functions.ts';
import { headOf, methodOf } from '../scoring/configured-detector.ts';
import type { PassOptions } from '../scoring/micro-batch.ts';
import { type ScoringOptions, scoringPacking } from '../scoring/score-split.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { splitData } from '../scoring/split-data.ts';
import { knownModel, shapeOf, type TransformerShape } from '../sizing/model-shape.ts';
import type { RehearsedRun } from '../training/rehearse.ts';
import { fullestPacks, fullPacks, rehearsedRun } from '../training/rehearsed-run.ts';
import type { RunMemory } from '../training/run-memory.ts';
import { warmupNote } from '../training/schedule.ts';
import { estimateWork } from './estimate-work.ts';
import { type PlannedCard, planMachine } from './plan-machine.ts';

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
	readonly memoryBytes: RunMemory;
	/** Whether the activations of one block at a time are kept. */
	readonly checkpointing: Checkpointing;
	/** What computes; where it isn't here, why. */
	readonly backend: string;
	/** null where the data is missing, or what computes isn't here. */
	readonly seconds: PlannedSeconds | null;
	/** Of the matrix products of the whole run; null where the data is missing. */
	readonly operations: number | null;
	/** What the run may use of the machine that computes; null where that isn't here. */
	readonly availableBytes: number | null;
	/** How the run would fit on cards of the usual sizes. */
	readonly cards: readonly PlannedCard[];
	readonly output: string;
}

/** What an epoch takes, and the first one: states that it keeps of a frozen base are not computed in a further one. */
interface PlannedSeconds {
	readonly firstEpoch: number;
	readonly epoch: number;
	readonly total: number;
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
	/** The rows where they are at hand; by default the dataset that the config names. */
	readonly dataset?: Dataset;
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
	const { shape, source, name, base, model } = modelOf(config, options);
	const { precision } = config.training;
	const trainable = countTrainable(config, shape);
	const { plan: data, packs } = await planData(config, base, options);
	const pass = base === undefined ? unaskedPass(config) : scoringOf(config, base.tokenizer, model).pass;
	const run = rehearsedRun(config, base?.folder ?? { config: model }, pass, packs);
	const { flopsPerSecond, ...machine } = planMachine(config, run, options.note);
	const { checkpointing } = machine;
	const work =
		'missing' in data
			? null
			: estimateWork(shape, {
					...{ method: config.method, trainable, checkpointing: checkpointing !== false },
					...{ keepsStates: config.sequence.packing !== 'leaky', data },
				});
	const { epochs } = config.training;
	const operations = work === null ? null : work.firstEpoch + work.epoch * (epochs - 1);
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
		...machine,
		seconds:
			work === null || flopsPerSecond === null
				? null
				: {
						firstEpoch: work.firstEpoch / flopsPerSecond,
						epoch: work.epoch / flopsPerSecond,
						total: operations! / flopsPerSecond,
					},
		operations,
		output: config.output,
	};
}

/** What a pack goes through where there is no tokenizer to ask about the answers: those are one token each then. */
function unaskedPass({ objective, training, loss }: Config): PassOptions {
	const answers = { question: [0], yes: [0], no: [0] };
	return {
		objective: objective === 'class' ? classObjective : nextTokenObjective(answers),
		precision: training.precision,
		focal: { gamma: loss.gamma, gradient: loss.gradient },
		checkpointing: false,
	};
}

type PlannedBase = Pick<Base, 'folder' | 'tokenizer'>;

/** The model that a plan is made for. */
interface PlannedModel {
	readonly model: ModelConfig;
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
		const { config: model } = base.folder;
		return { model, shape: shapeOf(model), source: 'folder', name: config.model, base };
	}
	const known = knownModel(config.model);
	if (known !== undefined) {
		checkPositions(config.sequence.length, known);
		return { model: known, shape: shapeOf(known), source: 'published', name: config.model, base: undefined };
	}
	checkBaseModel(config.model);
	throw inputError('MODEL_NOT_FOUND', 'there is no such model folder, and its shape is not known', {
		place: config.model,
		remedy: 'Give a folder in Hugging Face layout (config.json, tokenizer.json, *.safetensors) as model.',
	});
}

function countTrainable(config: Config, shape: TransformerShape): number {
	const method = methodOf(config);
	const options = headOf(config);
	const sizes =
		options === undefined ? [] : headSpecs(shape.hiddenSize, options).map((spec) => elements(spec.shape));
	const head = sizes.reduce((sum, size) => sum + size, 0);
	if (method.type === 'full') return shape.parameters + head;
	if (method.type === 'head') return head;
	if (method.type === 'prefix') return head + 2 * method.length * shape.layers * shape.keyValueSize;
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

function packSplit(
	{ lengths, tokens }: PlannedSplit,
	packing: PackingOptions,
	together?: PackedFunctions['together'],
): PackPlan {
	if (tokens !== undefined) return packFunctions(lengths, packing, { tokens, together });
	// what functions have in common can't be guessed
	return packFunctions(lengths, { ...packing, sharePrefixes: false }, { together });
}

/** The data of a plan, and its fullest packs. */
interface PlannedData {
	readonly plan: TrainingPlan['data'];
	readonly packs: RehearsedRun['packs'];
}

async function planData(
	config: Config,
	base: PlannedBase | undefined,
	{ note, dataset: given }: PlanOptions,
): Promise<PlannedData> {
	const { length } = config.sequence;
	const { sequencesPerPass } = config.training;
	if (given === undefined && !existsSync(config.data.path)) {
		return { plan: { missing: config.data.path }, packs: fullPacks(length, sequencesPerPass) };
	}
	const { collapseWhitespace } = config.data;
	const dataset = given ?? (await loadAuditedDataset(config.data, note));
	if (config.method.stack !== null) note(describeStackFolds(stackFolds(config, dataset.splits.train)));
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
	const { pairs } = splitData(dataset.splits.train, [], config.loss);
	const train = packSplit(trainRows, packing, pairs?.rows);
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
	const plan = {
		rows: {
			train: trainRows.lengths.length,
			valid: validRows.lengths.length,
			test: testRows.lengths.length,
		},
		summary,
		tokens: base === undefined ? ('estimated' as const) : ('counted' as const),
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
	return { plan, packs: fullestOf(trainRows, validRows, { packing, tokens }, sequencesPerPass) };
}

/** The fullest packs, where functions have tokens; else full ones. */
function fullestOf(
	train: PlannedSplit,
	valid: PlannedSplit,
	scoring: Pick<ScoringOptions, 'packing' | 'tokens'>,
	sequencesPerPass: number,
): RehearsedRun['packs'] {
	if (train.tokens === undefined || valid.tokens === undefined) {
		return fullPacks(scoring.packing.length, sequencesPerPass);
	}
	const split = ({ lengths }: PlannedSplit, tokens: readonly Int32Array[]) => ({
		lengths: Int32Array.from(lengths),
		tokens,
	});
	const splits = { train: split(train, train.tokens), valid: split(valid, valid.tokens) };
	return fullestPacks(splits, scoring, sequencesPerPass);
}
