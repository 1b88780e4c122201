import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { runTraining } from 'vulntune';
import { readDescription } from '../../packages/vulntune/src/methods/description.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 16, valid: 4, test: 4 });

/** A short run: the loss of each, and the bytes of what it found. */
async function train(name: string, overrides: Readonly<Record<string, string>>) {
	const output = path.join(root, name);
	const common = {
		'backend.type': testBackend,
		'training.epochs': '2',
		'training.accumulation': '1',
		'training.learningRate': '0.003',
	};
	const config = tinyConfig({ model, data, output }, { ...common, ...overrides });
	const outcome = await runTraining(
		config,
		{ resume: false, overwrite: false },
		{ emit: () => {}, interrupted: () => false },
	);
	expect(outcome.status).toBe('finished');
	const metrics = readFileSync(path.join(output, 'metrics.jsonl'), 'utf8');
	const losses = metrics
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line) as { type: string; loss: number })
		.filter(({ type }) => type === 'step')
		.map(({ loss }) => loss);
	const adapter = readFileSync(path.join(output, 'adapter/adapter_model.safetensors'));
	return { output, metrics, losses, adapter };
}

/** The largest relative difference of the losses of a step. */
function farthest(found: readonly number[], expected: readonly number[]): number {
	return Math.max(...expected.map((loss, step) => Math.abs(found[step]! / loss - 1)));
}

it.each(['lora', 'qlora'])('a base in 8 bits learns as the same base in floats does: %s', async (type) => {
	const method = { 'method.type': type, 'method.base': type === 'lora' ? 'fp32' : 'nf4' };
	const floats = await train(`${type}-fp32`, { ...method, 'training.precision': 'fp32' });
	const int8 = await train(`${type}-int8`, { ...method, 'training.precision': 'int8' });
	expect(int8.losses).not.toEqual(floats.losses);
	expect(farthest(int8.losses, floats.losses)).toBeLessThan(0.03);
	// what a gradient of nothing would give
	const still = await train(`${type}-still`, {
		...method,
		'training.precision': 'fp32',
		'training.learningRate': '1e-9',
	});
	expect(farthest(still.losses, floats.losses)).toBeGreaterThan(0.1);
	expect(readDescription(path.join(int8.output, 'adapter'))!.precision).toBe('int8');
});

it('gives the same bytes in another run and with another number of threads', async () => {
	const int8 = { 'training.precision': 'int8' };
	const one = await train('one-thread', { ...int8, 'backend.threads': '1' });
	const two = await train('two-threads', { ...int8, 'backend.threads': '2' });
	expect(two.metrics).toBe(one.metrics);
	expect(two.adapter.equals(one.adapter)).toBe(true);
});
