import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyShapes, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { evaluateZeroShot } from './zero-shot.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 6, valid: 4, test: 6 });
const options = { model, data, split: 'test', precision: 'fp32' } as const;
const reference = { 'backend.type': 'reference', 'nextToken.positive': 'Y', 'nextToken.negative': 'N' };
const ask = (overrides: Readonly<Record<string, string>> = {}, changed: object = {}) =>
	evaluateZeroShot(
		{ ...options, ...changed, overrides: { ...reference, ...overrides } },
		() => {},
		() => {},
	);

describe('an untuned model', () => {
	it('is asked after each function, and stands beside the baselines at a threshold from validation', async () => {
		const { comparison, probabilities, threshold, question } = await ask();
		expect(comparison.rows.map(({ name }) => name)).toEqual(['zero-shot', 'all-positive', 'length', 'ngram']);
		expect(probabilities).toHaveLength(6);
		expect(question).toMatchObject({ positive: 'Y', negative: 'N' });
		const valid = await ask({}, { split: 'valid' });
		expect(valid.threshold).toBe(threshold);
		expect([...valid.probabilities]).toContain(threshold);
		// the other way round the answers have each other's probabilities
		const turned = await ask({ 'nextToken.positive': 'N', 'nextToken.negative': 'Y' });
		for (const [row, probability] of turned.probabilities.entries()) {
			expect(probability).toBeCloseTo(1 - probabilities[row]!, 6);
		}
		expect((await ask({ 'nextToken.prompt': ' Is it? ' })).probabilities).not.toEqual(probabilities);
	});

	it('must be one that gives next tokens', async () => {
		const encoder = writeTinyModel(path.join(root, 'encoder'), tinyShapes.roberta);
		await expect(ask({ 'sequence.length': '120' }, { model: encoder })).rejects.toMatchObject({
			code: 'MODEL_HEAD_MISSING',
		});
	});
});
