import { createParameters, createReferenceBackend, type Model, upload } from '@vulntune/engine';
import { expect, it } from 'vitest';
import type { Detector } from '../methods/detector.ts';
import { headSpecs, SCORE } from '../methods/head.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { scorePack } from '../scoring/micro-batch.ts';
import { assemblePack } from '../scoring/split-data.ts';
import { functionsOf, scriptedScoring } from '../scoring/testing/scripted-detector.ts';
import { classObjective } from './class-objective.ts';

it('gives the probability of the second class, which is that of vulnerable functions', () => {
	const backend = createReferenceBackend();
	const head = { pool: 'last', hidden: null } as const;
	const parameters = createParameters(backend, headSpecs(2, head));
	backend.upload(parameters.get(SCORE), Float32Array.of(0, 0, Math.log(3), -Math.log(3))); // [2, H]
	const states = Float32Array.of(1, 0, 0, 1); // [F, H]
	const model = { hidden: (context) => upload(context, states, [2, 2]) } as Pick<Model, 'hidden'> as Model;
	const detector: Detector = { backend, model, parameters, head, free: () => parameters.free() };
	const data = functionsOf([1, 1], [1, 1]);
	const { pass, packing, tokens } = scriptedScoring(classObjective);
	const { packs } = packFunctions(data.lengths, packing);
	const { pack, targets } = assemblePack(data, packs[0]!, 'isolated', tokens);
	const { probabilities, losses } = scorePack(detector, pack, pass, targets);
	for (const [f, probability] of [3 / 4, 1 / 4].entries()) {
		expect(probabilities[f]).toBeCloseTo(probability, 6);
		expect(losses![f]).toBeCloseTo(-Math.log(probability), 6); // both are taken for vulnerable
	}
});
