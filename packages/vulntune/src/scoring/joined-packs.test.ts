import path from 'node:path';
import { normalArray, openModelFolder } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest } from '../../../../tests/backends.ts';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { createDetector } from '../methods/detector.ts';
import { classObjective } from '../objectives/class-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { type PassOptions, trainOnPack } from './micro-batch.ts';
import { assemblePacks, splitData } from './split-data.ts';
import { functionsBeginningAlike } from './testing/functions-beginning-alike.ts';

const model = writeTinyModel(path.join(temporaryFolder(), 'model'));
const tokens = functionsBeginningAlike([
	[20, 9],
	[20, 1],
	[0, 30],
	[12, 14],
	[12, 5],
	[0, 8],
]);
const rows = tokens.map((_, i) => ({
	...{ id: String(i), code: '', functionName: 'f' },
	commit: `${i >> 1}`,
}));
const labelled = rows.map((row, i) => ({ ...row, label: (1 - (i % 2)) as 0 | 1 }));
const data = splitData(labelled, tokens, {
	...{ alpha: null, classWeights: [1, 2.5], statusWeights: null, pair: 'rank', pairWeight: 0.5 },
});
const pass: PassOptions = {
	...{ objective: classObjective, precision: 'fp32', checkpointing: false },
	focal: { gamma: 1, gradient: 'full' },
};
const around = { leading: [], separator: 0, suffix: [] };

const kinds: readonly (readonly [string, Pick<PackingOptions, 'packing' | 'sharePrefixes'>])[] = [
	['isolated', { packing: 'isolated' }],
	['isolated, prefixes shared', { packing: 'isolated', sharePrefixes: true }],
	['leaky', { packing: 'leaky' }],
	['of one function each', { packing: 'none' }],
];

describe.each(backendsUnderTest())('packs that go through the model at once, on $name', ({ create }) => {
	it.each(kinds)('give the losses and the gradients of each: %s', (_, kind) => {
		const options: PackingOptions = {
			length: 50,
			order: 'bestFit',
			maxFunctions: 200,
			largeFunctions: 'truncate',
			...kind,
		};
		const { packs } = packFunctions(data.lengths, options, data);
		expect(packs.length).toBeGreaterThan(1);
		const backend = create();
		const folder = openModelFolder(model);
		const detector = createDetector(backend, folder, {
			method: { type: 'lora', lora: { rank: 3, alpha: 6, dropout: 0, rsLora: false, targets: 'all-linear' } },
			...{ base: 'fp32', doubleQuantization: false, maxPositions: 60, seed: 1, start: undefined },
			head: { pool: 'meanMax', hidden: null },
		});
		const { parameters } = detector;
		backend.upload(parameters.values, normalArray(3, 0, parameters.values.shape[0]!, 0.2));
		/** The losses in the order of the packs, and the gradients, of packs in so many at a time. */
		const compute = (atOnce: number, factors: readonly number[]) => {
			backend.fill(parameters.gradients, 0);
			const losses: number[] = [];
			for (let first = 0; first < packs.length; first += atOnce) {
				const chosen = packs.slice(first, first + atOnce);
				const { pack, targets } = assemblePacks(data, chosen, options.packing, around);
				const factorOf = chosen.flatMap(({ length }, p) =>
					new Array<number>(length).fill(factors[first + p]!),
				);
				losses.push(...trainOnPack(detector, pack, targets, Float32Array.from(factorOf), 0, pass));
			}
			return { losses, gradients: backend.download(parameters.gradients) as Float32Array };
		};
		const factors = packs.map((_, p) => 0.5 + p);
		const alone = compute(1, factors);
		const joined = compute(packs.length, factors);
		// to the byte: what a function's loss is doesn't depend on what lies beside its pack
		expect(joined.losses).toEqual(alone.losses);
		const largest = alone.gradients.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
		for (const [i, value] of alone.gradients.entries()) {
			expect(Math.abs(joined.gradients[i]! - value)).toBeLessThanOrEqual(5e-6 * largest);
		}
		detector.free();
		folder.close();
		backend.close();
	});
});
