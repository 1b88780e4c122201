import { describe, expect, it } from 'vitest';
import { gridDefinition } from '../experiments/grid/grid-schema.ts';
import { pretrainingConfig } from '../pretraining/load-config.ts';
import { otherKind } from './file-kind.ts';
import { checkConfig } from './load.ts';
import { trainingConfig } from './training-config.ts';

const files = {
	grid: { config: 'lora.yaml', axes: { 'method.rank': [2, 8] } },
	pretraining: { source: { type: 'generated' }, tokenizer: {} },
	training: { model: 'm', data: { path: 'd' }, method: { type: 'lora' } },
};
const definitions = { grid: gridDefinition, pretraining: pretrainingConfig, training: trainingConfig };
type Kind = keyof typeof files;
const said = (file: Kind, read: Kind) => otherKind(files[file], definitions[read], 'file.yaml');

describe('a file of another kind', () => {
	it.each([
		['grid', 'a grid (it has axes)', 'vulntune experiment run file.yaml --output DIR'],
		['pretraining', 'a config for pretraining (it has source and tokenizer)', 'vulntune pretrain file.yaml'],
		['training', 'a config for fine-tuning (it has data and method)', 'vulntune train file.yaml'],
	] as const)('is named with its command: %s', (file, what, command) => {
		for (const read of Object.keys(definitions) as Kind[]) {
			if (read === file) {
				expect(said(file, read)).toBeUndefined();
				continue;
			}
			expect(said(file, read)).toMatchObject({
				code: 'CONFIG_INVALID',
				message: expect.stringContaining(`this is ${what}, which another command reads`),
				remedy: `Run it with: ${command}`,
			});
		}
	});

	it('is refused before its options are', () => {
		const context = { place: 'file.yaml', folder: '.' };
		expect(() => checkConfig(files.grid, trainingConfig, context)).toThrow(/this is a grid/);
		expect(() => checkConfig(files.training, gridDefinition, context)).toThrow(/a config for fine-tuning/);
	});

	it('is not what has keys of two kinds, or of none', () => {
		const mixed = { ...files.training, axes: {} };
		for (const value of [mixed, { model: 'm' }, null, 'text']) {
			expect(otherKind(value, trainingConfig, 'file.yaml')).toBeUndefined();
		}
	});
});
