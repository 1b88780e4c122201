import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { datasetFolder, pretrainedFolder } from '../inputs.ts';
import { interleave } from '../interleave.ts';
import { benchRow } from '../row.ts';
import type { Section } from '../section.ts';

const repository = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');
const command = path.join(repository, 'packages/vulntune/bin/vulntune.mjs');
const config = path.join(repository, 'configs/smollm2-x1.yaml');

/** What the command is given besides the shipped config, whose base is NF4. */
const starts: Readonly<Record<string, readonly string[]>> = {
	'start-to-first-step-135m': [],
	'start-to-first-step-135m-bf16': ['--method.type', 'lora', '--method.base', 'bf16'],
};

const LONGEST_SECONDS = 120;
const POLL_MILLISECONDS = 2;

/**
 * Seconds from the start of `vulntune train` to the moment before its first pack goes forward: the model is loaded and
 * quantised, the data is read and packed. The tokens of the dataset and the compiled sources are kept from an earlier run.
 */
export const startSection: Section = {
	rowNames: Object.keys(starts),
	async run({ options, log }) {
		const [model, dataset] = [pretrainedFolder(), datasetFolder()];
		if (model === undefined || dataset === undefined) {
			log('start-to-first-step: skipped, the pretrained model or the dataset is not there');
			return { rows: [] };
		}
		const wanted = Object.entries(starts).filter(([name]) => options.wants(name));
		const cases = wanted.map(([name, flags]) => ({
			name,
			measure: () => secondsToFirstStep(['--model', model, '--data.path', dataset, ...flags]),
		}));
		for (const { measure } of cases) await measure(); // keeps tokens and compiled sources
		const medians = await interleave(cases, options.rounds, (round) =>
			log(`start-to-first-step: round ${round} of ${options.rounds}`),
		);
		return {
			rows: wanted.map(([name]) => benchRow({ name, value: medians.get(name)!, unit: 'seconds' })),
		};
	},
};

/** The first line of timings.jsonl is written when the first step begins; the process is killed then. */
async function secondsToFirstStep(flags: readonly string[]): Promise<number> {
	const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-bench-'));
	const output = path.join(scratch, 'run');
	const timings = path.join(output, 'timings.jsonl');
	const start = performance.now();
	const child = spawn(process.execPath, [command, 'train', config, '--output', output, ...flags], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let errors = '';
	child.stderr.on('data', (chunk: Buffer) => {
		errors = (errors + chunk.toString()).slice(-4000);
	});
	const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
	try {
		while (!(existsSync(timings) && readFileSync(timings, 'utf8').includes('\n'))) {
			if (child.exitCode !== null) throw new Error(`vulntune train ended early: ${errors.trim()}`);
			if (performance.now() - start > 1000 * LONGEST_SECONDS) {
				throw new Error(`vulntune train took no step within ${LONGEST_SECONDS} seconds`);
			}
			await pause(POLL_MILLISECONDS);
		}
		return (performance.now() - start) / 1000;
	} finally {
		child.kill('SIGKILL');
		await ended;
		rmSync(scratch, { recursive: true, force: true });
	}
}
