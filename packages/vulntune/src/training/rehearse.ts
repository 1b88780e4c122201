import type { Backend, ModelConfig, SafetensorsDtype } from '@vulntune/engine';
import { alone } from '../communication/communicator.ts';
import { createDryDetector, type DetectorOptions } from '../methods/detector.ts';
import type { PackLabels } from '../objectives/objective.ts';
import type { Pack } from '../packing/pack.ts';
import { type PassOptions, scorePack, trainOnPack } from '../scoring/micro-batch.ts';
import { createGradientSum } from './gradient-sum.ts';
import type { OptimizerName } from './moments.ts';
import { createOptimizer } from './optimizer.ts';

/** What the memory of what is computed depends on. */
export interface RehearsedWork {
	readonly model: ModelConfig;
	readonly detector: Omit<DetectorOptions, 'seed' | 'start'>;
	/** How the checkpoint stores a tensor; by default in bfloat16. */
	readonly dtypeOf?: (name: string) => SafetensorsDtype;
	readonly pass: PassOptions;
	/** Default `adamw`. */
	readonly optimizer?: OptimizerName;
	/** The fullest that is trained on, the fullest in which functions are scored, and the fullest whose lines are; undefined for none. */
	readonly packs: {
		readonly trained?: Pack;
		readonly scored: Pack;
		readonly explained?: Pack;
		/** Smaller ones that come between: a backend keeps blocks of their sizes beside those of the fullest. */
		readonly lesser?: LesserPacks;
	};
}

/** Packs that aren't the fullest. */
export interface LesserPacks {
	readonly trained: readonly Pack[];
	readonly scored: readonly Pack[];
}

/** A run that trains. */
export interface RehearsedRun extends RehearsedWork {
	readonly packs: { readonly trained: Pack; readonly scored: Pack; readonly lesser?: LesserPacks };
}

/** Bytes on the machine that computes. */
export interface RehearsedMemory {
	/** Frozen weights. */
	readonly base: number;
	/** Values, gradients of a pack and of a step, and two moments of everything that is trained. */
	readonly trained: number;
	/** What else is in use at the peak. */
	readonly activations: number;
	/** What the backend holds besides: scratch memory, and blocks that are kept for what is asked for next. */
	readonly kept: number;
	/** All of these. */
	readonly total: number;
	/** What a card's run keeps in the memory of its machine besides. */
	readonly onHost: number;
}

const noPacks: LesserPacks = { trained: [], scored: [] };

/** Steps after which nothing new is asked for. */
const steps = 2;

/**
 * Takes a run's steps on a backend that computes nothing (`createDryBackend`, `createDryCardBackend`) and says what memory they ask
 * for: loading the base, steps on the fullest pack and on smaller ones, scoring. It is the run's own code that asks, so the answer fits any model, method and
 * objective. Throws OUT_OF_MEMORY where the card is too small.
 */
export function rehearse(backend: Backend, run: RehearsedWork): RehearsedMemory {
	const detector = createDryDetector(backend, run.model, run.detector, run.dtypeOf);
	const { parameters } = detector;
	// values and gradients
	const base = backend.memory().liveBytes - 2 * 4 * parameters.values.shape[0]!;
	const { packs, pass } = run;
	const isStacked = run.detector.head?.stacked === true;
	const read = (pack: Pack) =>
		isStacked ? { ...pack, stackedScores: new Float32Array(pack.functionIndex.length) } : pack;
	const { lesser = noPacks } = packs;
	const settings = { weightDecay: 0, clipNorm: null, ...(run.optimizer && { name: run.optimizer }) };
	const optimizer = packs.trained && createOptimizer(backend, parameters, settings);
	if (optimizer !== undefined) createGradientSum(optimizer, alone);
	const trained = backend.memory().liveBytes - base;
	for (let step = 1; step <= steps; step++) {
		// once the blocks of the smaller ones are there, they stay
		const { trained: between, scored: scoredBetween } = step === 1 ? lesser : noPacks;
		for (const pack of [packs.trained, packs.explained, ...between]) {
			if (pack !== undefined) trainOnPack(detector, read(pack), unlabelled(pack), 1, step, pass);
		}
		optimizer?.step(step, 0);
		for (const pack of [packs.scored, ...scoredBetween]) {
			scorePack(detector, read(pack), pass, unlabelled(pack));
		}
	}
	const { peakBytes, pool, host } = backend.memory();
	const total = pool!.peakHeldBytes;
	const activations = peakBytes - base - trained;
	return { base, trained, activations, kept: total - peakBytes, total, onHost: host?.heldBytes ?? 0 };
}

/** Labels that mean nothing. */
export function unlabelled({ functionIndex: { length } }: Pack): PackLabels {
	return { labels: new Int32Array(length), weights: new Float32Array(length).fill(1) };
}
