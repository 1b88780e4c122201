import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { runTraining, type VulntuneError } from 'vulntune';
import { loadNewestCheckpoint, saveCheckpoint } from '../../packages/vulntune/src/run/checkpoint-store.ts';
import { exitCodes, toVulntuneError } from '../../packages/vulntune/src/terminal/exit-code.ts';
import { isNightly } from '../nightly/nightly.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';
import { countedWrites, failWrite } from './failing-disk.ts';

vi.mock('node:fs', async () => (await import('./failing-disk.ts')).failingFileSystem());

const root = temporaryFolder();
const codes = ['ENOSPC', 'EIO'] as const;

/** How a write that failed ends: never as something unexpected. */
function expectResourcesError(error: unknown): void {
	const { code, kind, place } = toVulntuneError(error) as VulntuneError;
	expect(code).toMatch(/^DISK_(FULL|FAILURE)$/);
	expect(exitCodes[kind]).toBe(5);
	expect(place).toContain(root);
}

/** Calls `action` with the first, second, … write failing until it gets through; how many failures that took. */
async function failEveryWrite(code: 'ENOSPC' | 'EIO', action: (failAt: number) => Promise<void>) {
	for (let failAt = 1; ; failAt++) {
		failWrite(failAt, code);
		await action(failAt);
		const isThrough = countedWrites() < failAt;
		failWrite(Number.POSITIVE_INFINITY, code);
		if (isThrough) return failAt - 1;
	}
}

describe.each(codes)('%s at any write', (code) => {
	it('of a checkpoint leaves the previous one', async () => {
		const folder = path.join(root, `checkpoints-${code}`);
		const filesOf = (text: string) =>
			new Map(['state.json', 'parameters.f32'].map((name) => [name, Buffer.from(`${name} ${text}`)]));
		saveCheckpoint(folder, 'step-1', filesOf('first'));
		const newest = () =>
			loadNewestCheckpoint(folder, (message) => {
				throw new Error(message);
			});
		const failures = await failEveryWrite(code, async () => {
			const before = newest()!;
			try {
				saveCheckpoint(folder, 'step-2', filesOf('second'));
			} catch (error) {
				expectResourcesError(error);
				// the folder is flushed after the checkpoint has its name: then either of the two is right
				if (newest()!.name === 'step-1') expect(newest()).toEqual(before);
				expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
			}
			expect(newest()!.files.get('state.json')!.toString()).toMatch(/^state\.json (first|second)$/);
		});
		expect(failures).toBeGreaterThan(10);
		// counted up where only the flush after its renaming failed
		expect(newest()!.name).toMatch(/^step-2(\.\d+)?$/);
	});
});

describe('a training whose disk is full', () => {
	const model = writeTinyModel(path.join(root, 'model'));
	const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 4, test: 4 });
	const overrides = {
		'training.epochs': '1',
		'training.accumulation': '2',
		'backend.type': testBackend,
		'sequence.length': '160',
	};
	const silent = { emit: () => {}, interrupted: () => false };
	const train = (output: string, resume: boolean) =>
		runTraining(tinyConfig({ model, data, output }, overrides), { resume, overwrite: false }, silent);
	const results = ['metrics.jsonl', 'adapter/adapter_model.safetensors', 'predictions.test.jsonl'];
	const bytesOf = (output: string) => results.map((file) => readFileSync(path.join(output, file), 'base64'));

	it('ends with exit code 5 wherever it is noticed, and goes on to the same bytes', {
		timeout: isNightly ? 3_600_000 : 120_000,
	}, async () => {
		const whole = path.join(root, 'whole');
		failWrite(Number.POSITIVE_INFINITY, 'ENOSPC');
		await train(whole, false);
		const writes = countedWrites();
		expect(writes).toBeGreaterThan(50);
		for (let failAt = 1; failAt <= writes; failAt += isNightly ? 1 : 29) {
			const output = path.join(root, `full-${failAt}`);
			failWrite(failAt, 'ENOSPC');
			const error = await train(output, false).then(
				() => undefined,
				(thrown: unknown) => thrown,
			);
			failWrite(Number.POSITIVE_INFINITY, 'ENOSPC');
			expectResourcesError(error);
			const outcome = await train(output, existsSync(output));
			expect(['finished', 'alreadyFinished']).toContain(outcome.status);
			expect(bytesOf(output)).toEqual(bytesOf(whole));
		}
	});
});
