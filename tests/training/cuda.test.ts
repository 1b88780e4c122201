/** Whole runs on the CUDA backend, its kernels emulated on the host behind a stand-in for libcuda. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { runTraining } from 'vulntune';
import { prepareStandIn } from '../../packages/engine/src/backends/cuda/testing/stand-in.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const { missing } = await prepareStandIn();
const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 8, valid: 4, test: 4 });

/** A short run of QLoRA that is interrupted after so many steps; what it found. */
async function train(
	name: string,
	backend: string,
	precision: 'fp32' | 'bf16',
	{ resume = false, stopAfter = Number.POSITIVE_INFINITY } = {},
) {
	const output = path.join(root, name);
	const options = {
		'method.type': 'qlora',
		'method.base': 'nf4',
		'training.accumulation': '1',
		'training.epochs': '1',
		'training.precision': precision,
		'backend.type': backend,
	};
	let steps = 0;
	const emit = ({ type }: { readonly type: string }) => {
		if (type === 'training') steps++;
	};
	const signals = { emit, interrupted: () => steps >= stopAfter };
	const config = tinyConfig({ model, data, output }, options);
	const { status } = await runTraining(config, { resume, overwrite: false }, signals);
	return {
		status,
		losses: () =>
			readFileSync(path.join(output, 'metrics.jsonl'), 'utf8')
				.trimEnd()
				.split('\n')
				.map((line) => JSON.parse(line) as { type: string; loss: number })
				.filter(({ type }) => type === 'step')
				.map(({ loss }) => loss),
		adapter: () => readFileSync(path.join(output, 'adapter/adapter_model.safetensors')),
	};
}

it('without a driver is refused before its data is looked for', async () => {
	vi.stubEnv('VULNTUNE_LIBCUDA', 'libcuda-that-is-not-there.so');
	const folders = { model, data: path.join(root, 'no-data'), output: path.join(root, 'refused') };
	const run = runTraining(
		tinyConfig(folders, { 'backend.type': 'cuda' }),
		{ resume: false, overwrite: false },
		{ emit: () => {}, interrupted: () => false },
	);
	await expect(run).rejects.toMatchObject({ code: expect.stringMatching(/^CUDA_(DRIVER|FFI)_MISSING$/) });
	vi.unstubAllEnvs();
});

describe.skipIf(missing !== undefined)('training on a card', () => {
	it.each([
		['fp32', 1e-3],
		['bf16', 2e-2],
	] as const)('in %s follows the losses of the CPU', async (precision, tolerance) => {
		const expected = (await train(`cpu-${precision}`, testBackend, precision)).losses();
		const found = (await train(`cuda-${precision}`, 'cuda', precision)).losses();
		expect(found.length).toBe(expected.length);
		for (const [step, loss] of expected.entries()) {
			expect(Math.abs(found[step]! / loss - 1)).toBeLessThan(tolerance);
		}
	});

	it('goes on from a checkpoint to the same bytes', async () => {
		const whole = await train('whole', 'cuda', 'fp32');
		const stopped = await train('stopped', 'cuda', 'fp32', { stopAfter: 2 });
		expect(stopped.status).toBe('interrupted');
		const resumed = await train('stopped', 'cuda', 'fp32', { resume: true });
		expect(resumed.status).toBe('finished');
		expect(resumed.adapter().equals(whole.adapter())).toBe(true);
	});
});
