import path from 'node:path';
import { normalArray, openModelFolder } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest } from '../../../../tests/backends.ts';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { createDetector, type Detector } from '../methods/detector.ts';
import type { Pool } from '../methods/head.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import type { PackingOptions } from '../packing/options.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { type PassOptions, scorePack, trainOnPack } from './micro-batch.ts';
import { assemblePack, splitData } from './split-data.ts';
import { functionsBeginningAlike } from './testing/functions-beginning-alike.ts';

const model = writeTinyModel(path.join(temporaryFolder(), 'model'));

// the first three and the next two begin alike
const tokens = functionsBeginningAlike([
	[40, 20],
	[40, 1],
	[40, 0],
	[17, 60],
	[17, 5],
	[0, 30],
]);
const rows = tokens.map((_, i) => ({ id: String(i), code: '', label: (i % 2) as 0 | 1 }));
const data = splitData(rows, tokens, { alpha: null, classWeights: [1, 2.5], statusWeights: null });
const suffix = [5, 6, 7];

function packsOf(sharePrefixes: boolean) {
	const options: PackingOptions = {
		length: 300,
		packing: 'isolated',
		order: 'bestFit',
		maxFunctions: 200,
		largeFunctions: 'truncate',
		suffixLength: suffix.length,
		sharePrefixes,
	};
	const { packs, sharedTokens } = packFunctions(data.lengths, options, data);
	expect(sharedTokens).toBe(sharePrefixes ? 2 * 40 + 17 : 0);
	return packs.map((pieces) => assemblePack(data, pieces, 'isolated', { leading: [], separator: 0, suffix }));
}

/** [F] of every function by its index. */
function byFunction(
	run: (...pack: [ReturnType<typeof assemblePack>]) => ArrayLike<number>,
	share: boolean,
): number[] {
	const values: number[] = [];
	for (const assembled of packsOf(share)) {
		const found = run(assembled);
		for (const [f, index] of assembled.pack.functionIndex.entries()) values[index] = found[f]!;
	}
	return values;
}

/** Probabilities, losses and gradients, all functions packed together. */
function compute(detector: Detector, pass: PassOptions, share: boolean) {
	const { backend, parameters } = detector;
	backend.fill(parameters.gradients, 0);
	const scored = byFunction(
		({ pack, targets }) => scorePack(detector, pack, pass, targets).probabilities,
		share,
	);
	const losses = byFunction(({ pack, targets }) => trainOnPack(detector, pack, targets, 1, 0, pass), share);
	const gradients = parameters.specs.map(({ name }) => ({
		name,
		values: Float32Array.from(backend.download(parameters.get(name).gradient!)),
	}));
	return { scored, losses, gradients };
}

const pools: readonly Pool[] = ['last', 'first', 'mean', 'max', 'meanMax'];
const variants: readonly (readonly [string, Pool | undefined, Partial<PassOptions>])[] = [
	...pools.map((pool) => [`a head on ${pool}`, pool, {}] as const),
	['a head on mean, checkpointing', 'mean', { checkpointing: true }],
	['the next token', undefined, { objective: nextTokenObjective({ question: suffix, no: [4], yes: [9] }) }],
];

describe.each(backendsUnderTest())('prefixes computed once, on $name', ({ create }) => {
	it.each(variants)('give the scores and gradients of %s', (_, pool, changed) => {
		const backend = create();
		const folder = openModelFolder(model);
		const detector = createDetector(backend, folder, {
			method: { type: 'lora', lora: { rank: 3, alpha: 6, dropout: 0, rsLora: false, targets: 'all-linear' } },
			base: 'fp32',
			doubleQuantization: false,
			head: pool === undefined ? undefined : { pool, hidden: null },
			maxPositions: 300,
			seed: 1,
			start: undefined,
		});
		const { parameters } = detector;
		// B is no longer zero, so that A has a gradient
		backend.upload(parameters.values, normalArray(3, 0, parameters.values.shape[0]!, 0.2));
		const pass: PassOptions = {
			objective: classObjective,
			precision: 'fp32',
			focal: { gamma: 1, gradient: 'full' },
			checkpointing: false,
			...changed,
		};
		const alone = compute(detector, pass, false);
		const shared = compute(detector, pass, true);
		// to the byte: a score must not depend on what lies beside a function
		expect(shared.scored).toEqual(alone.scored);
		expect(shared.losses).toEqual(alone.losses);
		expect(new Set(alone.scored).size).toBeGreaterThan(1);
		for (const [i, { name, values }] of alone.gradients.entries()) {
			const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
			// a function's first token sees itself alone, whatever q and k are
			if (pool !== 'first') expect(largest, name).toBeGreaterThan(0);
			const found = shared.gradients[i]!.values;
			for (const [j, value] of values.entries()) {
				// the fixtures' tolerance for gradients
				expect(Math.abs(found[j]! - value), name).toBeLessThanOrEqual(5e-5 * largest);
			}
		}
		detector.free();
		folder.close();
		backend.close();
	});
});
