import { createParameters, createReferenceBackend, type Model, upload } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import type { Detector } from '../methods/detector.ts';
import { headSpecs, initializeHead, SCORE, SCORE_STACK } from '../methods/head.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { scorePack, trainOnPack } from '../scoring/micro-batch.ts';
import { assemblePack } from '../scoring/split-data.ts';
import { functionsOf, scriptedScoring } from '../scoring/testing/scripted-detector.ts';
import { classObjective } from './class-objective.ts';
import type { PackPairs } from './pair-loss.ts';

/** Losses and probabilities of two functions whose states are at right angles, and whose log odds are ±log 3. */
function scoredOf(labels: readonly number[], pairs?: PackPairs) {
	const backend = createReferenceBackend();
	const head = { pool: 'last', hidden: null } as const;
	const parameters = createParameters(backend, headSpecs(2, head));
	backend.upload(parameters.get(SCORE), Float32Array.of(0, 0, Math.log(3), -Math.log(3))); // [2, H]
	const states = Float32Array.of(1, 0, 0, 1); // [F, H]
	const model = { hidden: (context) => upload(context, states, [2, 2]) } as Pick<Model, 'hidden'> as Model;
	const detector: Detector = { backend, model, parameters, head, free: () => parameters.free() };
	const data = functionsOf([1, 1], labels);
	const { pass, packing, tokens } = scriptedScoring(classObjective);
	const { packs } = packFunctions(data.lengths, packing);
	const { pack, targets } = assemblePack(data, packs[0]!, 'isolated', tokens);
	return scorePack(detector, pack, pass, pairs === undefined ? targets : { ...targets, pairs });
}

it('gives the probability of the second class, which is that of vulnerable functions', () => {
	const { probabilities, losses } = scoredOf([1, 1]);
	for (const [f, probability] of [3 / 4, 1 / 4].entries()) {
		expect(probabilities[f]).toBeCloseTo(probability, 6);
		expect(losses![f]).toBeCloseTo(-Math.log(probability), 6); // both are taken for vulnerable
	}
});

it.each([
	['rank', 2, Math.log(1 + 1 / 9)],
	['contrastive', 4, 2 * Math.LN2],
] as const)('adds to the loss of a function that of its pair: %s', (kind, weight, ofPair) => {
	const { losses } = scoredOf([1, 0], { kind, weight, partners: Int32Array.of(1, 0) });
	for (const loss of losses!) expect(loss).toBeCloseTo(-Math.log(3 / 4) + ofPair, 5);
});

describe('a stacked head', () => {
	const states = Float32Array.of(1, 0, 0, 1, 0.5, 0.25); // [F, H]
	const scores = Float32Array.of(2, -1, 0.5); // [F]

	/** Probabilities of three functions, with the gradient of the stacked score's weights. */
	function judged(options: {
		stacked: boolean;
		hidden?: number;
		weights?: readonly number[];
		without?: true;
	}) {
		const backend = createReferenceBackend();
		const head = { pool: 'last', hidden: options.hidden ?? null, stacked: options.stacked } as const;
		const parameters = createParameters(backend, headSpecs(2, head));
		initializeHead(backend, parameters, 7);
		if (options.weights !== undefined)
			backend.upload(parameters.get(SCORE_STACK), Float32Array.from(options.weights));
		const model = { hidden: (context) => upload(context, states, [3, 2]) } as Pick<Model, 'hidden'> as Model;
		const detector: Detector = { backend, model, parameters, head, free: () => parameters.free() };
		const own = functionsOf([1, 1, 1], [1, 0, 1]);
		const data = options.stacked && options.without !== true ? { ...own, stackedScores: scores } : own;
		const { pass, packing, tokens } = scriptedScoring(classObjective);
		const { packs } = packFunctions(data.lengths, packing);
		const { pack, targets } = assemblePack(data, packs[0]!, 'isolated', tokens);
		const { probabilities } = scorePack(detector, pack, pass);
		trainOnPack(detector, pack, targets, 1, 1, pass);
		const gradient = options.stacked ? [...backend.download(parameters.get(SCORE_STACK).gradient!)] : [];
		const order = [...pack.functionIndex];
		return { probabilities: order.map((_, f) => probabilities[order.indexOf(f)]!), gradient };
	}
	const logOdds = (probability: number) => Math.log(probability / (1 - probability));

	it.each([undefined, 3])(
		'says what it would say without, where it gives the score no weight: hidden %s',
		(hidden) => {
			const plain = judged({ stacked: false, ...(hidden && { hidden }) });
			expect(judged({ stacked: true, weights: [0, 0], ...(hidden && { hidden }) }).probabilities).toEqual(
				plain.probabilities,
			);
		},
	);

	it('begins by adding the score to the log odds, and learns how much', () => {
		const plain = judged({ stacked: false }).probabilities;
		const { probabilities, gradient } = judged({ stacked: true });
		for (const [f, score] of scores.entries()) {
			expect(logOdds(probabilities[f]!)).toBeCloseTo(logOdds(plain[f]!) + score, 5);
		}
		// of cross-entropy: the sum of (p - label) times the score, for either class with the other sign
		const expected = [1, 0, 1].reduce((sum, label, f) => sum + (probabilities[f]! - label) * scores[f]!, 0);
		expect(gradient[1]).toBeCloseTo(expected, 5);
		expect(gradient[0]).toBeCloseTo(-expected, 5);
	});

	it('is not run without the scores that it sees', () => {
		expect(() => judged({ stacked: true, without: true })).toThrow('a stacked head needs the scores');
	});
});
