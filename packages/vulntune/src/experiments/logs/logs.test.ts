import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeSampleRun } from '../../report/testing/sample-run.ts';
import { runStudy } from '../run-study.ts';
import { requestOf, silent, standIn, studyFolder } from '../testing/study-folder.ts';
import { crc32c, maskedCrc32c } from './crc32c.ts';
import { readLogPoints } from './log-points.ts';
import { tensorboardEvents } from './tensorboard.ts';

const { inside, write } = studyFolder();

describe('the checksum', () => {
	it('is CRC-32C as RFC 3720 has it', () => {
		expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
		expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
		expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
	});

	it('is masked as TensorFlow does: turned by 15 bits, and a number added', () => {
		const nine = new TextEncoder().encode('123456789');
		const turned = ((0xe3069283 >>> 15) | (0xe3069283 << 17)) >>> 0;
		expect(maskedCrc32c(nine)).toBe((turned + 0xa282ead8) % 2 ** 32);
	});
});

describe('the numbers of a run', () => {
	const folder = writeSampleRun(inside('run'));
	utimesSync(path.join(folder, 'environment.json'), 1000, 1000);
	const times = ['start', 'step', 'epoch', 'step', 'epoch'].map((type, i) =>
		JSON.stringify({ type, seconds: i + 1 }),
	);
	writeFileSync(path.join(folder, 'timings.jsonl'), `${times.join('\n')}\n`);
	const log = readLogPoints(folder);

	it('are those of its steps, epochs and end, each with step and time', () => {
		const shown = log.points.map(({ name, step, time }) => `${name} ${step} ${time}`);
		expect(shown.slice(0, 4)).toEqual([
			...[
				'train/loss 1 1002',
				'train/gradNorm 1 1002',
				'train/learningRate 1 1002',
				'validation/loss 1 1005',
			],
		]);
		expect(shown).toContain('validation/rocAuc 2 1014');
		expect(shown).toContain('test/rocAuc 2 1014');
		expect([log.start, log.end]).toEqual([1000, 1014]);
	});

	it('are records with checksums for TensorBoard', () => {
		const events = Buffer.from(tensorboardEvents(log));
		let [place, count] = [0, 0];
		const values: number[] = [];
		while (place < events.length) {
			const length = Number(events.readBigUInt64LE(place));
			expect(events.readUInt32LE(place + 8)).toBe(maskedCrc32c(events.subarray(place, place + 8)));
			const data = events.subarray(place + 12, place + 12 + length);
			expect(events.readUInt32LE(place + 12 + length)).toBe(maskedCrc32c(data));
			expect([data[0], count === 0 || data.readDoubleLE(1) >= 1000]).toEqual([0x09, true]);
			if (count === 0) expect(data.subarray(9).toString('latin1')).toBe('\x1a\x0dbrain.Event:2');
			else values.push(data.readFloatLE(length - 4));
			place += 16 + length;
			count += 1;
		}
		expect(values).toEqual(log.points.map(({ value }) => Math.fround(value)));
	});
});

describe('--log', () => {
	const grid = write('grid.yaml', 'config: config.yaml\naxes: { training.seed: [1, 2] }\n');

	it('writes a folder for each finished cell that TensorBoard finds, those that were finished before too', async () => {
		await runStudy(requestOf(grid, inside('board'), { cell: 0 }), silent, standIn([]));
		expect(existsSync(inside('board/tensorboard'))).toBe(false);
		await runStudy(requestOf(grid, inside('board'), { log: 'tensorboard' }), silent, standIn([]));
		expect(readdirSync(inside('board/tensorboard')).toSorted()).toEqual(['grid_seed=1', 'grid_seed=2']);
		const file = inside('board/tensorboard/grid_seed=1/events.out.tfevents.vulntune');
		expect(readFileSync(file).length).toBeGreaterThan(500);
	});

	it('writes an experiment with its runs that MLflow reads', async () => {
		await runStudy(requestOf(grid, inside('flow'), { log: 'mlflow' }), silent, standIn([]));
		const [experiment] = readdirSync(inside('flow/mlruns')) as [string];
		expect(experiment).toMatch(/^[1-9]\d{17}$/);
		const read = (file: string) => readFileSync(path.join(inside('flow/mlruns'), experiment, file), 'utf8');
		expect(parse(read('meta.yaml'))).toMatchObject({
			name: 'grid',
			lifecycle_stage: 'active',
			experiment_id: experiment,
		});
		const runs = readdirSync(path.join(inside('flow/mlruns'), experiment)).filter(
			(name) => name !== 'meta.yaml',
		);
		expect(runs).toHaveLength(2);
		const meta = runs.map((run) => parse(read(`${run}/meta.yaml`)));
		expect(meta.map(({ run_name }) => run_name).toSorted()).toEqual(['seed=1', 'seed=2']);
		for (const [i, run] of runs.entries()) {
			expect(run).toMatch(/^[0-9a-f]{32}$/);
			expect(existsSync(path.join(inside('flow/mlruns'), experiment, run, 'artifacts'))).toBe(true);
			expect(meta[i]).toMatchObject({ run_id: run, status: 3, experiment_id: experiment });
			expect(`seed=${read(`${run}/params/training.seed`)}`).toBe(meta[i].run_name);
			expect(read(`${run}/tags/mlflow.runName`)).toBe(meta[i].run_name);
			expect(read(`${run}/metrics/validation/rocAuc`)).toMatch(/^\d{13} [\d.]+ 1\n\d{13} [\d.]+ 2\n$/);
		}
	});
});
