/**
 * Every family and method with activations in bfloat16, as cards keep them, on the reference backend: near what f32 gives, and in no call
 * with types that a card refuses.
 */
import path from 'node:path';
import { type Backend, createReferenceBackend, openModelFolder } from '@vulntune/engine';
import { withBfloat16Activations } from '@vulntune/engine/backends/testing/bfloat16-activations.ts';
import { relativeDistance } from '@vulntune/engine/backends/testing/tensors.ts';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { attributeTokens } from '../explanation/attribute-tokens.ts';
import { answerBranches } from '../methods/answers.ts';
import type { Detector } from '../methods/detector.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { createDetectorOf } from './configured-detector.ts';
import { type PassOptions, scorePack, trainOnPack } from './micro-batch.ts';
import { assemblePack, splitData } from './split-data.ts';

const root = temporaryFolder();
const modelOf = (shape: keyof typeof tinyShapes) => writeTinyModel(path.join(root, shape), tinyShapes[shape]);
const question = [5, 6];
const answers = { question, yes: [9, 12, 40], no: [7, 13] };
const shortAnswers = { question, yes: [9], no: [7] };
const tokens = [14, 5, 9].map((length, f) =>
	Int32Array.from({ length }, (_, i) => 3 + ((i * i + 37 * i + 101 * f) % 290)),
);
const rows = tokens.map((_, i) => ({ id: String(i), code: '', label: (i % 2) as 0 | 1 }));
const data = splitData(rows, tokens, { alpha: null, classWeights: null, statusWeights: null });

type Overrides = Readonly<Record<string, string>>;
type Shape = keyof typeof tinyShapes;

/** Runs `work` with a detector of a tiny model; nothing is left in memory afterwards. */
function withDetector<Result>(
	backend: Backend,
	shape: Shape,
	overrides: Overrides,
	work: (detector: Detector, pass: PassOptions) => Result,
	asked = answers,
): Result {
	const model = modelOf(shape);
	const folders = { model, data: 'none', output: '/o' };
	const config = tinyConfig(folders, { 'method.dropout': '0', ...overrides });
	const folder = openModelFolder(model);
	const detector = createDetectorOf(config, backend, folder);
	try {
		return work(detector, {
			objective: config.objective === 'class' ? classObjective : nextTokenObjective(asked),
			precision: 'bf16',
			focal: { gamma: 2, gradient: 'full' },
			checkpointing: config.training.checkpointing === true,
		});
	} finally {
		detector.free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
	}
}

const packing: PackingOptions = {
	length: 96,
	packing: 'isolated',
	order: 'arrival',
	maxFunctions: 9,
	largeFunctions: 'ignore',
};
const noneAround = { leading: [], separator: 0, suffix: [] };

/** Losses, gradients and scores of all functions in one pack. */
function compute(backend: Backend, shape: Shape, overrides: Overrides, asked: typeof answers) {
	const work = (detector: Detector, pass: PassOptions) => {
		const isClass = pass.objective === classObjective;
		const [branches, suffix] = isClass ? [[], []] : [answerBranches(asked), asked.question];
		const suffixLength = suffix.length + branches.flat().length;
		const { packs } = packFunctions(data.lengths, { ...packing, suffixLength });
		const around = { leading: [], separator: 0, suffix, branches };
		const { pack, targets } = assemblePack(data, packs[0]!, 'isolated', around);
		const losses = trainOnPack(detector, pack, targets, 1, 1, pass);
		const scores = scorePack(detector, pack, pass).probabilities;
		return { losses, scores, gradients: backend.download(detector.parameters.gradients) };
	};
	return withDetector(backend, shape, overrides, work, asked);
}

const logOdds = (probability: number) => Math.log(probability / (1 - probability));

const full = { 'method.type': 'full' };
/** All norms, positions, activations and ways to lay out matrices. */
const families = ['llama', 'qwen3', 'starcoder2', 'gptNeox', 'gptBigCode', 'bert', 'modernBert'] as const;
const twice = { 'training.checkpointing': 'true', 'head.pool': 'mean' };

describe('activations in bfloat16', () => {
	it.each<readonly [string, Shape, Overrides, typeof answers]>([
		...families.map((shape) => [`of ${shape}, all weights trained`, shape, full, answers] as const),
		['with adapters, blocks computed twice', 'llama', twice, answers],
		['behind a prefix', 'llama', { 'method.type': 'prefix', 'head.pool': 'meanMax' }, answers],
		['asked for answers of several tokens', 'llama', { objective: 'nextToken', ...full }, answers],
		['asked for answers of one token', 'llama', { objective: 'nextToken' }, shortAnswers],
	])('%s give losses, gradients and scores near those of f32', (_, shape, overrides, asked) => {
		const plain = compute(createReferenceBackend(), shape, overrides, asked);
		const narrow = compute(withBfloat16Activations(createReferenceBackend()), shape, overrides, asked);
		expect(relativeDistance(narrow.losses, plain.losses)).toBeLessThan(1e-2);
		expect(relativeDistance(narrow.gradients, plain.gradients)).toBeLessThan(4e-2);
		// log odds of whole answers are a difference of sums of some twenty nats, to each of which every token adds its rounding
		const allowed = overrides.objective === 'nextToken' ? 2e-2 * asked.yes.length : 1e-2;
		for (const [f, score] of narrow.scores.entries()) {
			expect(Math.abs(logOdds(score) - logOdds(plain.scores[f]!))).toBeLessThan(allowed);
		}
		expect(narrow.losses).not.toEqual(plain.losses);
	});

	it.each(['attention', 'gradient'] as const)('give tokens scores near those of f32: %s', (method) => {
		const [plain, narrow] = [createReferenceBackend(), withBfloat16Activations(createReferenceBackend())].map(
			(backend) =>
				withDetector(backend, 'bert', full, (detector, pass) => {
					const options = { packing, pass, tokens: noneAround, windowCombination: 'max' } as const;
					return attributeTokens(detector, tokens, options, method).flatMap((own) => [...own]);
				}),
		);
		expect(relativeDistance(narrow!, plain!)).toBeLessThan(2e-2);
	});
});
