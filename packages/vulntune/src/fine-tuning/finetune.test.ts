import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder, testBackend, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import type { ConfigInput } from '../config/schema.ts';
import { finetune } from './finetune.ts';
import type { TrainingEvent } from './run-events.ts';

const root = temporaryFolder();
const inside = (name: string) => path.join(root, name);
writeTinyModel(inside('model'));
writeTinyDataset(inside('data'), { train: 12, valid: 4, test: 4 });

function configOf(output: string, epochs: number): ConfigInput {
	return {
		model: inside('model'),
		data: { path: inside('data') },
		method: { type: 'lora', base: 'fp32', rank: 2, alpha: 4 },
		sequence: { length: 96, largeFunctions: 'truncate' },
		training: { epochs, accumulation: 2, precision: 'fp32', checkpointEverySteps: 1 },
		backend: { type: testBackend as 'cpu' },
		output: inside(output),
	};
}

/** How many threads of JavaScript the process has beside this one. */
const threads = () => (process.report.getReport() as { workers: unknown[] }).workers.length;

describe('finetune', () => {
	it('tells a slow loop every record and the newest state', async () => {
		const run = finetune(configOf('slow', 2));
		const seen: TrainingEvent[] = [];
		for await (const event of run) {
			seen.push(event);
			await run.result;
		}
		const outcome = await run.result;
		const metrics = readFileSync(inside('slow/metrics.jsonl'), 'utf8').trim().split('\n');
		const records = seen.flatMap((event) => (event.type === 'record' ? [JSON.stringify(event.record)] : []));
		// the last line is the run's end, which is its result
		expect(records).toEqual(metrics.slice(0, -1));
		const states = seen.slice(1).filter(({ type }) => type === 'training' || type === 'scoring');
		expect(states).toEqual([{ type: 'scoring', split: 'test', done: 1, total: 1 }]);
		expect(outcome).toMatchObject({ status: 'finished', summary: { output: inside('slow') } });
	});

	it('saves and ends its thread where the loop is left, and goes on from there', async () => {
		const before = threads();
		const run = finetune(configOf('left', 2000));
		for await (const event of run) if (event.type === 'record') break;
		expect(await run.result).toEqual({ status: 'interrupted', output: inside('left') });
		expect(existsSync(inside('left/checkpoints'))).toBe(true);
		await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before));

		const resumed = finetune(configOf('left', 2000), { resume: true });
		let firstStep = 0;
		for await (const event of resumed) {
			if (event.type !== 'record' || event.record.type !== 'step') continue;
			firstStep = event.record.step;
			break;
		}
		expect(firstStep).toBeGreaterThan(1);
	});

	it('stops without a loop', async () => {
		const run = finetune(configOf('stopped', 2000));
		expect(await run.stop()).toMatchObject({ status: 'interrupted' });
	});

	it('ends the loop with the error of the run', async () => {
		const faults: readonly [ConfigInput, string][] = [
			[{ ...configOf('wrong', 1), training: { epochs: -1 } }, 'CONFIG_INVALID'],
			[{ ...configOf('absent', 1), data: { path: inside('nowhere') } }, 'DATASET_NOT_FOUND'],
		];
		for (const [config, code] of faults) {
			const run = finetune(config);
			const loop = async () => {
				for await (const event of run) void event;
			};
			await expect(loop()).rejects.toMatchObject({ code });
			await expect(run.result).rejects.toMatchObject({ code });
		}
	});

	it('keeps an error for a loop that is slower', async () => {
		const before = threads();
		const config = configOf('infinite', 9);
		const run = finetune({ ...config, training: { ...config.training, learningRate: 1e30, warmupSteps: 0 } });
		const loop = async () => {
			for await (const _event of run)
				await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before), 10_000);
		};
		await expect(loop()).rejects.toMatchObject({ code: expect.stringMatching(/NOT_FINITE|NAN/) });
	});

	it('reads the config of a file', async () => {
		await expect(finetune(inside('absent.yaml')).result).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' });
	});
});
