import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import { checkIdentity, identityHash, resultSettings, trainingIdentity } from './identity.ts';

const inputs = {
	datasetHash: 'rows',
	base: { weights: 'w', config: 'c', tokenizer: 't' },
	start: undefined as string | undefined,
};
const value: ConfigInput = {
	model: '/m',
	data: { path: '/d' },
	method: { type: 'lora' },
	loss: { statusWeights: { A: 1, B: 2 } },
	output: '/o',
};

function identityOf(overrides: Readonly<Record<string, string>> = {}, found = inputs) {
	return trainingIdentity(resolveConfig(value, { place: 'test', folder: '/', overrides }), found);
}

it('tells runs apart whose results differ', () => {
	const changes = [
		{ 'data.collapseWhitespace': 'false' },
		{ 'training.seed': '2' },
		{ 'training.epochs': '2' },
		{ 'loss.reduction': 'mean' },
		{ 'sequence.packing': 'leaky' },
		{ 'method.base': 'fp32' },
		{ 'method.layersToTransform': '[1]' },
		{ 'method.bidirectionalLayers': '1' },
		{ 'data.sample': '0.5' },
		{ 'data.dropNearDuplicates': 'true' },
		{ 'loss.pair': 'rank' },
		{ 'loss.pair': 'rank', 'loss.pairWeight': '2' },
		{ 'data.sample': '0.5', 'data.sampleSeed': '2' },
		{ 'training.sequencesPerPass': '2' },
		{ 'training.optimizer': 'adamw8bit' },
	];
	const hashes = changes.map((change) => identityHash(identityOf(change)));
	const { base } = inputs;
	const others = [
		{ ...inputs, datasetHash: 'other rows' },
		{ ...inputs, base: { ...base, weights: 'v' } },
		{ ...inputs, base: { ...base, config: 'v' } },
		{ ...inputs, base: { ...base, tokenizer: 'v' } },
		{ ...inputs, start: 'an adapter' },
	];
	hashes.push(...others.map((other) => identityHash(identityOf({}, other))), identityHash(identityOf()));
	expect(new Set(hashes).size).toBe(hashes.length);
});

it('is the same wherever the model and the data lie, and whatever computes', () => {
	const moved = { model: '/n', 'data.path': '/e', output: '/p' };
	const machine = { 'backend.threads': '1', 'training.checkpointEverySteps': '7' };
	expect(identityOf({ ...moved, ...machine })).toEqual(identityOf());
});

it('does not depend on the order in which options stand in the config', () => {
	const reversed = Object.fromEntries(Object.entries(value).toReversed());
	const sorted = { ...reversed, loss: { statusWeights: { B: 2, A: 1 } } };
	const config = resolveConfig(sorted, { place: 'test', folder: '/' });
	const { base: _base, ...method } = config.method;
	const written = { ...config, method: { base: config.method.base, ...method } };
	for (const other of [config, written]) expect(trainingIdentity(other, inputs)).toEqual(identityOf());
});

it('names what differs, and says how another base is taken', () => {
	const own = identityOf();
	const check = (change: object, mayDiffer: string[] = []) => {
		checkIdentity({ ...own, ...change }, own, 'step-1', mayDiffer);
	};
	expect(() => check({})).not.toThrow();
	expect(() => check({ dataset: 'x', epochs: '9' })).toThrow(/another number of epochs, another dataset/);
	expect(() => check({ dataset: 'x' })).not.toThrow(/allow-other-base/);
	expect(() => check({ weights: 'x' })).toThrow(/other weights of the base model.*\n.*--allow-other-base/);
	expect(() => check({ start: 'x' })).toThrow(/another adapter to start from/);
	expect(() => check({ weights: 'x' }, ['weights'])).not.toThrow();
	expect(() => checkIdentity('one text', own, 'step-1')).toThrow(/earlier version/);
});

it('has nothing of options that are off, so that runs of versions without them go on', () => {
	const config = resolveConfig(value, {
		place: 'test',
		folder: '/',
		overrides: { 'data.projects': '/p.json' },
	});
	const { data, loss, method, training } = resultSettings(config) as Record<
		'data' | 'loss' | 'method' | 'training',
		object
	>;
	expect(Object.keys(training)).not.toContain('sequencesPerPass');
	expect(Object.keys(training)).not.toContain('optimizer');
	expect(Object.keys(data)).not.toContain('dropNearDuplicates');
	expect(Object.keys(data)).not.toContain('projects');
	expect(Object.keys(method)).not.toContain('layersToTransform');
	expect(Object.keys(method)).not.toContain('bidirectionalLayers');
	expect(Object.keys(loss).filter((name) => name.startsWith('pair'))).toEqual([]);
});

it('knows the projects only where a stacked score is kept from them', () => {
	const file = path.join(temporaryFolder(), 'projects.json');
	const of = (overrides: Record<string, string>, repo: string) => {
		writeFileSync(file, JSON.stringify({ c: repo }));
		return identityHash(identityOf({ 'data.projects': file, ...overrides }));
	};
	expect(of({}, 'a/x')).toBe(of({}, 'b/y'));
	expect(of({}, 'a/x')).toBe(identityHash(identityOf()));
	const stacked = { 'method.stack': 'ngram' };
	expect(of(stacked, 'a/x')).not.toBe(of(stacked, 'b/y'));
	expect(of(stacked, 'a/x')).not.toBe(of({}, 'a/x'));
	const looser = { ...stacked, 'method.stackSimilarity': '0.7' };
	expect(of(looser, 'a/x')).not.toBe(of(stacked, 'a/x'));
	// runs of versions without it are known
	expect(of({ ...stacked, 'method.stackSimilarity': '0.9' }, 'a/x')).toBe(of(stacked, 'a/x'));
	const own = resolveConfig(value, { place: 'test', folder: '/', overrides: stacked });
	expect(Object.keys((resultSettings(own) as { method: object }).method)).not.toContain('stackSimilarity');
});
