/** Whole runs on the CUDA backend, its kernels emulated on the host behind a stand-in for libcuda. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runTraining, type TrainingEvent } from 'vulntune';
import { prepareStandIn } from '../../packages/engine/src/backends/cuda/testing/stand-in.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const { missing } = await prepareStandIn();
afterEach(() => {
	vi.unstubAllEnvs();
});
const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 8, valid: 4, test: 4 });

/** A line of metrics.jsonl or timings.jsonl. */
interface Line {
	readonly type: string;
	readonly loss: number;
	readonly residentBytes: number;
	readonly deviceBytes?: number;
	readonly deviceUsedBytes?: number;
	readonly waitSeconds?: number;
}

/** A short run of QLoRA that is interrupted after so many steps; what it found. */
async function train(
	name: string,
	backend: string,
	precision: 'fp32' | 'bf16',
	{
		resume = false,
		stopAfter = Number.POSITIVE_INFINITY,
		device = '0',
		layers = 'null',
		kernels = 'auto',
		onStep = (_step: number) => {},
	} = {},
) {
	const output = path.join(root, name);
	const options = {
		'method.type': 'qlora',
		'method.base': 'nf4',
		'method.layersToTransform': layers,
		// all states of the last block are computed in one of the two
		'head.pool': precision === 'bf16' ? 'meanMax' : 'last',
		'method.stack': 'ngram',
		'training.accumulation': '1',
		'training.epochs': '1',
		'training.precision': precision,
		'backend.type': backend,
		'backend.device': device,
		'backend.kernels': kernels,
	};
	let steps = 0;
	const notes: string[] = [];
	const emit = (event: TrainingEvent) => {
		if (event.type === 'note') notes.push(event.line);
		if (event.type === 'training') onStep(++steps);
	};
	const signals = { emit, interrupted: () => steps >= stopAfter };
	const config = tinyConfig({ model, data, output }, options);
	const { status } = await runTraining(config, { resume, overwrite: false }, signals);
	const lines = (file: string): Line[] =>
		readFileSync(path.join(output, file), 'utf8')
			.trimEnd()
			.split('\n')
			.map((line) => JSON.parse(line));
	return {
		status,
		notes,
		lines,
		environment: () => JSON.parse(readFileSync(path.join(output, 'environment.json'), 'utf8')),
		losses: () =>
			lines('metrics.jsonl')
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
	const expectedLosses = new Map<string, readonly number[]>();

	it.each([
		['fp32', 80, 1e-3],
		// a CPU that rounds to bfloat16 does so at other places: each is within 1 % of what isn't rounded
		['bf16', 80, 2e-2],
		// products in float16
		['bf16', 75, 2e-2],
	] as const)(
		'in %s follows the losses of the CPU, on capability %i',
		async (precision, capability, tolerance) => {
			const expected =
				expectedLosses.get(precision) ?? (await train(`cpu-${precision}`, testBackend, precision)).losses();
			expectedLosses.set(precision, expected);
			vi.stubEnv('VULNTUNE_STAND_IN_CAPABILITY', String(capability));
			const found = (await train(`cuda-${precision}-${capability}`, 'cuda', precision)).losses();
			vi.unstubAllEnvs();
			expect(found.length).toBe(expected.length);
			for (const [step, loss] of expected.entries()) {
				// the focal loss of a function that is as good as learnt is small, and off by a multiple of what its probability is
				expect(Math.abs(found[step]! - loss)).toBeLessThan(tolerance * Math.max(loss, 0.05));
			}
		},
	);

	it('leaves out what only Hopper has where the config says so, and keeps that', async () => {
		vi.stubEnv('VULNTUNE_STAND_IN_CAPABILITY', '90');
		const found = await train('mma', 'cuda', 'bf16', { stopAfter: 1, kernels: 'mma' });
		expect(found.losses()).toHaveLength(1);
		expect(found.environment().hardware.card).toMatchObject({ capability: '9.0', kernels: 'mma' });
	});

	it('gives the same bytes whether the states below the adapters are computed or kept', async () => {
		// where nothing is kept yet
		vi.stubEnv('HOME', path.join(root, 'home'));
		const computed = await train('computed', 'cuda', 'bf16', { layers: '[1]' });
		const kept = await train('kept', 'cuda', 'bf16', { layers: '[1]' });
		expect(kept.notes).toContainEqual(expect.stringContaining('the block below the lowest adapter'));
		expect(kept.losses()).toEqual(computed.losses());
		expect(kept.adapter().equals(computed.adapter())).toBe(true);
	});

	it('goes on from a checkpoint to the same bytes', async () => {
		const whole = await train('whole', 'cuda', 'bf16');
		const stopped = await train('stopped', 'cuda', 'bf16', { stopAfter: 2 });
		expect(stopped.status).toBe('interrupted');
		const resumed = await train('stopped', 'cuda', 'bf16', { resume: true });
		expect(resumed.status).toBe('finished');
		expect(resumed.adapter().equals(whole.adapter())).toBe(true);
	});

	it('is what auto takes where the run fits, and is told of', async () => {
		const run = await train('auto', 'auto', 'fp32', { stopAfter: 1 });
		expect(run.notes).toContainEqual(
			expect.stringMatching(/^on card 0, stand-in: about 5\d\d MiB of .* free$/),
		);
		const { backend, hardware } = run.environment();
		expect(backend).toMatch(/^cuda \(stand-in, compute capability 8.0/);
		expect(hardware.card).toEqual({
			...{
				ordinal: 0,
				name: 'stand-in',
				capability: '8.0',
				multiprocessors: 1,
				driver: '12.0',
				memoryBytes: 2 ** 30,
				kernels: 'auto',
			},
		});
		const { deviceBytes, deviceUsedBytes, waitSeconds } = run.lines('timings.jsonl').at(-1)!;
		expect(waitSeconds).toBeGreaterThan(0);
		expect(deviceBytes).toBeGreaterThan(10_000);
		// the stand-in keeps nothing for itself, and nobody else is on it
		expect(deviceUsedBytes).toBe(deviceBytes);
	});

	it('is left where the run does not fit, and where its number is not there', async () => {
		vi.stubEnv('VULNTUNE_STAND_IN_MEMORY', String(2 ** 29));
		const run = await train('small', 'auto', 'fp32', { stopAfter: 1 });
		vi.unstubAllEnvs();
		expect(run.notes).toContainEqual(expect.stringMatching(/^stand-in is not used: the run takes about/));
		expect(run.environment().backend).not.toContain('cuda');
		const { deviceBytes, waitSeconds } = run.lines('timings.jsonl').at(-1)!;
		expect([deviceBytes, waitSeconds]).toEqual([undefined, undefined]);
		await expect(train('second', 'auto', 'fp32', { device: '1' })).rejects.toMatchObject({
			code: 'CUDA_DEVICE',
			message: expect.stringContaining('this machine shows 1: 0 stand-in'),
		});
	});

	it('loses nothing where the memory of the card runs out', async () => {
		const whole = await train('enough', 'cuda', 'fp32');
		const onStep = (step: number) => {
			if (step === 2) vi.stubEnv('VULNTUNE_STAND_IN_MEMORY', '1');
		};
		await expect(train('short', 'cuda', 'fp32', { onStep })).rejects.toMatchObject({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: expect.stringMatching(
				/training.checkpointing: true \(or host\), .*sequence.length .*method.base: nf4/,
			),
		});
		vi.unstubAllEnvs();
		const resumed = await train('short', 'cuda', 'fp32', { resume: true });
		expect(resumed.adapter().equals(whole.adapter())).toBe(true);
	});
});
