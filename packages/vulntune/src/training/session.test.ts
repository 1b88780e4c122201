import { expect, it } from 'vitest';
import { resolveConfig } from '../config/load.ts';
import { fingerprintOf, type PreparedData } from './session.ts';

const data = {
	dataset: { hash: 'rows' },
	tokenizer: { hash: 'tokenizer' },
	folder: { config: { layers: 2 }, weights: { names: [] } },
} as unknown as PreparedData;

function fingerprint(overrides: Readonly<Record<string, string>> = {}): string {
	const value = { model: '/m', data: { path: '/d' }, method: { type: 'lora' }, output: '/o' };
	return fingerprintOf(resolveConfig(value, { place: 'test', folder: '/', overrides }), data);
}

it('tells runs apart whose results differ', () => {
	const changes = [
		{ 'data.collapseWhitespace': 'false' },
		{ 'training.seed': '2' },
		{ 'loss.reduction': 'mean' },
		{ 'sequence.packing': 'leaky' },
	];
	for (const change of changes) expect(fingerprint(change)).not.toBe(fingerprint());
});

it('is the same wherever the model and the data lie, and whatever computes', () => {
	const moved = { model: '/n', 'data.path': '/e', output: '/p' };
	const machine = { 'backend.threads': '1', 'training.checkpointEverySteps': '7' };
	expect(fingerprint({ ...moved, ...machine })).toBe(fingerprint());
});
