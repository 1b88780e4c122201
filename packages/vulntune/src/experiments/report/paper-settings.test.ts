import { globSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig, resolveConfig } from '../../config/load.ts';
import { asksWhatPaperAsks, describeBesidePaper } from './paper-settings.ts';

const configs = path.resolve(import.meta.dirname, '../../../../../configs');
const configOf = (overrides: Readonly<Record<string, string>> = {}) =>
	loadConfig(path.join(configs, 'paper/qlora-without-p3-512-ignore.yaml'), { overrides });

describe('beside a row of the paper', () => {
	it.each(globSync('paper/*.yaml', { cwd: configs }))(
		'%s has nothing else to tell than base and epochs',
		(file) => {
			expect(describeBesidePaper(loadConfig(path.join(configs, file)))).toBe(
				'WizardCoder-Python-13B-V1.0, 15 epochs',
			);
		},
	);

	it('a cell tells its base, epochs and sample, and what is otherwise', () => {
		const overrides = {
			...{
				model: '/models/small',
				'training.epochs': '1',
				'head.pool': 'mean',
				'training.learningRate': '2e-4',
			},
			'data.sample': '{ NOT_VULNERABLE: 0.1 }',
		};
		expect(describeBesidePaper(configOf(overrides))).toBe(
			'small, 1 epoch, trained on a sample: 10 % of the NOT_VULNERABLE rows; otherwise than the paper: head.pool mean, training.learningRate 0.0002',
		);
		expect(describeBesidePaper(configOf({ 'data.sample': '0.25' }))).toContain(
			'trained on a sample: 25 % of the rows',
		);
	});

	it('tells of a config of an earlier version what it has', () => {
		const config = resolveConfig(
			{ model: 'm', data: { path: 'd' }, method: { type: 'lora' } },
			{ place: 'test', folder: '/' },
		);
		const { loss: _loss, ...rest } = config;
		expect(describeBesidePaper(rest as never)).not.toContain('loss');
	});
});

it('a cell repeats a row where its grid varies what the paper does, or nothing else than to the paper’s values', () => {
	const columns = ['sequence.length', 'sequence.largeFunctions', 'training.seed', 'training.epochs', 'model'];
	expect(asksWhatPaperAsks(configOf(), columns)).toBe(true);
	expect(asksWhatPaperAsks(configOf(), [...columns, 'method.rank'])).toBe(true);
	expect(asksWhatPaperAsks(configOf({ 'method.rank': '16' }), [...columns, 'method.rank'])).toBe(false);
	expect(asksWhatPaperAsks(configOf({ 'method.base': 'int8' }), ['method.base'])).toBe(false);
	expect(asksWhatPaperAsks(configOf({ 'data.sample': '0.5' }), ['data.sample'])).toBe(false);
	expect(asksWhatPaperAsks(configOf(), ['data.sampleSeed'])).toBe(false);
	// what the grid does not vary is told in the label
	expect(asksWhatPaperAsks(configOf({ 'method.rank': '16' }), columns)).toBe(true);
});
