import path from 'node:path';
import { createBackend, uploadIndices, uploadSegments } from '@vulntune/engine';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { openBase } from '../model/open-base.ts';
import { buildPack } from '../packing/pack.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { createDetectorOf } from '../scoring/configured-detector.ts';
import { inArena } from '../scoring/micro-batch.ts';
import type { ScoringOptions } from '../scoring/score-split.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { attributeTokens } from './attribute-tokens.ts';

const root = temporaryFolder();
const closers: (() => void)[] = [];
afterAll(() => {
	for (const close of closers) close();
});

/** A detector in float64 whose adapter has learnt nothing, with a head that has an opinion. */
function detectorOf(shape: 'bert' | 'llama', overrides: Readonly<Record<string, string>> = {}) {
	const model = writeTinyModel(path.join(root, shape), tinyShapes[shape]);
	const config = tinyConfig(
		{ model, data: root, output: root },
		{ ...(overrides.objective === undefined && { 'head.pool': 'mean' }), ...overrides },
	);
	const base = openBase(config);
	const backend = createBackend({ type: 'reference', device: 0, isa: 'auto', threads: 'auto' }, () => {});
	const detector = createDetectorOf(config, backend, base.folder);
	closers.push(() => {
		detector.free();
		backend.close();
		base.close();
	});
	const scoring = scoringOf(config, base.tokenizer, base.folder.config);
	return { detector, scoring, tokenizer: base.tokenizer };
}

const texts = ['int x = y;', 'use(a); run(b);', 'return null;'];

/** A function by itself. */
function packOf({ packing, tokens }: ScoringOptions, ids: Int32Array) {
	const [pieces] = packFunctions([ids.length], packing).packs;
	return buildPack(pieces!, [ids], tokens.separator, 'isolated', tokens);
}

/** Log odds of one function when what enters the first block at one token is scaled. */
function logOdds(
	{ detector, scoring }: Pick<ReturnType<typeof detectorOf>, 'detector' | 'scoring'>,
	ids: Int32Array,
	scaled: number,
	factor: number,
): number {
	const pack = packOf(scoring, ids);
	const { backend } = detector;
	return inArena(backend, 'fp32', { tape: undefined, dropoutSeed: undefined }, (context) => {
		const model = {
			...detector.model,
			hidden: ((inner, tensors, options) =>
				detector.model.hidden(inner, tensors, {
					...options,
					enter(x) {
						const values = Float32Array.from(backend.download(x));
						const width = x.shape[1]!;
						for (let i = 0; i < width; i++) values[(pack.leadingLength + scaled) * width + i]! *= factor;
						backend.upload(x, values);
						return x;
					},
				})) as typeof detector.model.hidden,
		};
		const judgement = scoring.pass.objective(context, { ...detector, model }, pack, scoring.pass);
		const loss = (label: number) =>
			backend.download(
				judgement.losses(
					{ labels: Int32Array.of(label), weights: Float32Array.of(1) },
					{ gamma: 0, gradient: 'full' },
				),
			)[0]!;
		return loss(0) - loss(1);
	});
}

describe('gradient × input', () => {
	it.each([
		['an encoder', 'bert', {}],
		['a decoder', 'llama', {}],
		['a decoder, mean and maximum', 'llama', { 'head.pool': 'meanMax' }],
		['a decoder asked for the next token', 'llama', { objective: 'nextToken', 'nextToken.prompt': ' ok?' }],
		['all weights trained', 'bert', { 'method.type': 'full', 'method.dropout': '0' }],
		['blocks computed twice', 'bert', { 'training.checkpointing': 'true' }],
	] as const)('is how the log odds change where a token counts more: %s', (_, shape, overrides) => {
		const { 'method.dropout': _dropout, ...others } = overrides as Record<string, string>;
		const set = detectorOf(shape, others);
		const tokens = texts.map((text) => Int32Array.from(set.tokenizer.encode(text)));
		const found = attributeTokens(set.detector, tokens, set.scoring, 'gradient');
		const step = 2 ** -7;
		const ids = tokens[1]!;
		const differences = [...ids].map(
			(_, token) => (logOdds(set, ids, token, 1 + step) - logOdds(set, ids, token, 1 - step)) / (2 * step),
		);
		const largest = Math.max(...differences.map(Math.abs));
		expect(largest).toBeGreaterThan(1e-3);
		for (const [token, difference] of differences.entries()) {
			expect(Math.abs(found[1]![token]! - difference)).toBeLessThan(0.02 * largest);
		}
		expect(Math.max(...set.detector.backend.download(set.detector.parameters.gradients).map(Math.abs))).toBe(
			0,
		);
	});
});

describe('attributions', () => {
	it('by gradient × input are of the input, whatever states of a function were kept', () => {
		const { detector, scoring, tokenizer } = detectorOf('llama');
		const ids = [Int32Array.from(tokenizer.encode(texts[1]!))];
		const asked = () => expect.unreachable('kept states were asked for');
		const states = { get: asked, put: asked };
		const keeping = { ...detector, keptStates: states, lowerStates: { block: 1, states } };
		expect(attributeTokens(keeping, ids, scoring, 'gradient')).toEqual(
			attributeTokens(detector, ids, scoring, 'gradient'),
		);
	});

	const bert = detectorOf('bert');
	const tokens = texts.map((text) => Int32Array.from(bert.tokenizer.encode(text)));

	it.each(['attention', 'gradient'] as const)('of a function depend on it alone: %s', (method) => {
		const told: number[][] = [];
		const progress = (...done: number[]) => void told.push(done);
		const together = attributeTokens(bert.detector, tokens, { ...bert.scoring, progress }, method);
		expect(told).toEqual([[1, 1]]);
		for (const [f, ids] of tokens.entries()) {
			const [alone] = attributeTokens(bert.detector, [ids], bert.scoring, method);
			expect(together[f]).toEqual(alone);
		}
	});

	it('of attention are what the model says of the pack, without what stands around a function', () => {
		const { detector, scoring } = bert;
		const [ids] = tokens as [Int32Array];
		const pack = packOf(scoring, ids);
		const all = inArena(detector.backend, 'fp32', { tape: undefined, dropoutSeed: undefined }, (context) =>
			detector.model.receivedAttention(context, {
				ids: uploadIndices(context, pack.inputIds),
				positions: uploadIndices(context, pack.positionIds),
				segments: uploadSegments(context, pack.segmentStarts),
			}),
		);
		expect(all).toHaveLength(ids.length + 2);
		expect([...attributeTokens(detector, [ids], scoring, 'attention')[0]!]).toEqual([...all.slice(1, -1)]);
	});

	const inPieces = (packing: Partial<ScoringOptions['packing']>): ScoringOptions => ({
		...bert.scoring,
		packing: { ...bert.scoring.packing, length: 8, ...packing },
	});

	it('are unknown behind the end of a function that was cut', () => {
		const [scores] = attributeTokens(bert.detector, [tokens[1]!], inPieces({}), 'attention');
		// six tokens beside <s> and </s>
		expect(scores!.map(Number.isNaN as never).slice(0, 6)).toEqual(new Float64Array(6));
		expect([...scores!.slice(6)].every(Number.isNaN)).toBe(true);
	});

	it('are the mean over the windows that a token is in', () => {
		const options = inPieces({ largeFunctions: 'window', windowStride: 3 });
		const ids = tokens[1]!.slice(0, 9);
		const [scores] = attributeTokens(bert.detector, [ids], options, 'attention');
		const of = (from: number) =>
			attributeTokens(bert.detector, [ids.slice(from, from + 6)], inPieces({}), 'attention')[0]!;
		const [first, second] = [of(0), of(3)];
		expect([...scores!]).toEqual(
			[...ids].map((_, t) => (t < 3 ? first[t]! : t < 6 ? (first[t]! + second[t - 3]!) / 2 : second[t - 3]!)),
		);
	});

	it('by attention are refused for a decoder, by name', () => {
		const { detector, scoring } = detectorOf('llama');
		expect(() => attributeTokens(detector, tokens, scoring, 'attention')).toThrow(
			expect.objectContaining({ code: 'ATTRIBUTION_NOT_ENCODER' }),
		);
	});
});
