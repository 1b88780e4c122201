import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyDataset } from '../../../../tests/tiny.ts';
import { type CrossValidationRequest, dealFolds } from './deal-folds.ts';

const root = temporaryFolder();
const data = writeTinyDataset(path.join(root, 'data'), { train: 24, valid: 6, test: 6 });
const asked = (
	options: object = {},
	overrides: Readonly<Record<string, string>> = {},
): CrossValidationRequest => ({
	config: tinyConfig(
		{ model: 'm', data, output: path.join(root, 'out') },
		{ 'method.type': 'ngram', ...overrides },
	),
	...{ folds: 2, repeats: 2, similarity: 0.9, ...options },
});
const deal = (...request: Parameters<typeof asked>) => dealFolds(asked(...request), () => {});

it('deals the rows anew in each repeat', async () => {
	const { plans } = await deal();
	expect(plans[0]!.foldOf).not.toEqual(plans[1]!.foldOf);
});

it('is another one where anything is that decides which rows a fold has', async () => {
	const projects = path.join(root, 'projects.json');
	writeFileSync(projects, '{"c":"r"}');
	const dealt = [
		await deal(),
		await deal({ folds: 3 }),
		await deal({ repeats: 1 }),
		await deal({ similarity: 0.8 }),
		await deal({}, { 'training.seed': '2' }),
		await deal({}, { 'data.projects': projects }),
	];
	writeFileSync(projects, '{"c":"other"}');
	dealt.push(await deal({}, { 'data.projects': projects }));
	expect(new Set(dealt.map(({ identity }) => identity)).size).toBe(dealt.length);
	expect((await deal()).identity).toBe(dealt[0]!.identity);
});
