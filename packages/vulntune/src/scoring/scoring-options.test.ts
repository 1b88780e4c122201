import path from 'node:path';
import { loadTokenizer, readModelConfig } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyModel } from '../../../../tests/tiny.ts';
import { prepareData, tokenizedSplit } from './prepare-data.ts';
import { scoringPacking } from './score-split.ts';
import { scoringOf } from './scoring-options.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));

describe('how functions are scored', () => {
	const tokenizer = loadTokenizer(model);
	const scoring = (overrides: Readonly<Record<string, string>>) =>
		scoringOf(tinyConfig({ model, data: root, output: root }, overrides), tokenizer, readModelConfig(model));

	it('is what the config says of loss, precision and windows', () => {
		const { pass, windowCombination } = scoring({
			...{ 'loss.gamma': '3', 'loss.gradient': 'detached', 'sequence.windowCombination': 'max' },
			'sequence.largeFunctions': 'window',
			...{ 'training.precision': 'bf16', 'training.checkpointing': 'true' },
		});
		expect(windowCombination).toBe('max');
		expect(pass).toMatchObject({
			focal: { gamma: 3, gradient: 'detached' },
			precision: 'bf16',
			checkpointing: true,
		});
		expect(scoring({ 'loss.type': 'crossEntropy' }).pass.focal.gamma).toBe(0);
	});

	it('asks for whole answers behind each function, which no prefix is shared with', () => {
		const { tokens, packing } = scoring({ objective: 'nextToken' });
		expect(tokens.branches?.flat().length).toBeGreaterThan(0);
		expect(packing.suffixLength).toBe(tokens.suffix.length + tokens.branches!.flat().length);
		expect(scoringPacking(packing, tokens).sharePrefixes).toBe(false);
		const short = scoring({
			objective: 'nextToken',
			'nextToken.positive': 'Y',
			'nextToken.negative': 'N',
			'sequence.sharePrefixes': 'true',
		});
		expect(short.tokens.branches).toEqual([[], []]);
		expect(scoringPacking(short.packing, short.tokens).sharePrefixes).toBe(true);
		expect(scoring({}).packing.suffixLength).toBe(0);
	});

	it.each([
		['sequence.sharePrefixes', 'true'],
		['sequence.packing', 'leaky'],
	])('refuses %s: %s with answers of several tokens', (place, value) => {
		const ask = () => scoring({ objective: 'nextToken', [place]: value });
		expect(ask).toThrow(expect.objectContaining({ code: 'ANSWER_TOKENS', place }));
	});

	it('refuses to pool the first token of a decoder', () => {
		const ask = () => scoring({ 'head.pool': 'first' });
		const fault = { code: 'HEAD_POOL', place: 'head.pool' };
		const remedy = expect.stringContaining('Use last, mean, max or meanMax');
		expect(ask).toThrow(expect.objectContaining({ ...fault, remedy }));
	});

	it('is known to fail before the rows are looked for', async () => {
		const folders = { model, data: path.join(root, 'absent'), output: root };
		const config = tinyConfig(folders, { objective: 'nextToken', 'sequence.length': '8' });
		const prepare = prepareData(config, { tokenizer, folder: { config: readModelConfig(model) } }, () => {});
		await expect(prepare).rejects.toMatchObject({ code: 'SEQUENCE_TOO_SHORT' });
	});
});

it('names the function and the token that the model has no embedding of', async () => {
	const tokenizer = loadTokenizer(model);
	const config = tinyConfig({ model: root, data: root, output: root });
	const rows = [
		{ id: 'fine', code: 'a', label: 0 },
		{ id: 'odd', code: 'a~', label: 1 },
	] as const;
	const [letter, tilde] = ['a', '~'].map((text) => tokenizer.encode(text)[0]!);
	const split = (vocabularySize: number) => tokenizedSplit(config, rows, tokenizer, { vocabularySize });
	expect(letter).toBeLessThan(tilde!);
	expect((await split(tilde! + 1)).lengths).toHaveLength(2);
	await expect(split(tilde!)).rejects.toMatchObject({ code: 'TOKENIZER_MODEL', place: 'function odd' });
});
