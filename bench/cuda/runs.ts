import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateDemoDataset } from 'vulntune/demo/dataset.ts';
import { writeDemoDataset } from 'vulntune/demo/write-dataset.ts';

const vulntune = fileURLToPath(new URL('../../packages/vulntune/bin/vulntune.mjs', import.meta.url));

/** A line of timings.jsonl: the start of a run, a step, … */
interface Timing {
	readonly type: string;
	readonly seconds: number;
	readonly tokensPerSecond: number;
	readonly deviceBytes?: number;
	readonly waitSeconds?: number;
}

/** What runs of the check begin with. */
export interface Ground {
	readonly folder: string;
	/** QLoRA of NF4, rank 8, dropout 0.05, bf16, on the demo's functions. */
	readonly args: readonly string[];
}

/** A folder for the time of `work`, with the demo's functions and a config. */
export function onGround<Result>(work: (ground: Ground) => Result): Result {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-check-'));
	try {
		const data = path.join(folder, 'data');
		const options = { seed: 1, pairs: 160 };
		writeDemoDataset(data, generateDemoDataset(options), options);
		return work({ folder, args: [configFile(folder), '--data.path', data] });
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Runs the command line in a process of its own, killed after `limit` milliseconds; throws with its words where it fails. */
export function train(output: string, args: readonly string[], limit?: number): 'finished' | 'killed' {
	const { status, signal, stderr } = spawnSync(
		process.execPath,
		[vulntune, 'train', ...args, '--output', output],
		{
			encoding: 'utf8',
			killSignal: 'SIGKILL',
			...(limit === undefined ? {} : { timeout: limit }),
		},
	);
	if (limit !== undefined && signal === 'SIGKILL') return 'killed';
	if (status === 0) return 'finished';
	throw new Error(`vulntune train ended with ${status ?? signal}: ${stderr.slice(-2000)}`);
}

export function linesOf<Line>(file: string): Line[] {
	return readFileSync(file, 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line) as Line);
}

/** A step of one sequence of up to 2,048 tokens. */
export const longSequences = ['--sequence.length', '2048', '--training.accumulation', '1'];
/** A step of as many tokens in four sequences. */
export const shortSequences = ['--sequence.length', '512', '--training.accumulation', '4'];

/** A run of a model: seconds of a step in the median, what share of them the host waited, memory of the card. */
export function timed({ folder, args }: Ground, model: string, ...options: readonly string[]) {
	const output = path.join(folder, 'timed');
	const start = performance.now();
	train(output, [...args, '--model', model, '--overwrite', ...options]);
	const seconds = (performance.now() - start) / 1000;
	const timings = linesOf<Timing>(path.join(output, 'timings.jsonl'));
	const steps = timings.filter(({ type }) => type === 'step');
	// in the first half kernels and memory are loaded, and the host's code is compiled by the engine that runs it
	const later = steps.slice(steps.length >> 1);
	return {
		steps: steps.length,
		stepSeconds: median(later.map((step) => step.seconds)),
		tokensPerSecond: median(later.map((step) => step.tokensPerSecond)),
		waitShare: median(later.map((step) => (step.waitSeconds ?? 0) / step.seconds)),
		deviceBytes: steps.at(-1)?.deviceBytes,
		startSeconds: timings.find(({ type }) => type === 'start')?.seconds,
		wholeRunSeconds: seconds,
	};
}

export function median(values: readonly number[]): number | undefined {
	return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function configFile(folder: string): string {
	const file = path.join(folder, 'config.yaml');
	const config = [
		'model: model',
		'data: { path: data }',
		'method: { type: qlora, base: nf4, rank: 8, alpha: 32, dropout: 0.05 }',
		'sequence: { length: 256, largeFunctions: truncate }',
		'training: { epochs: 1, learningRate: 1e-3, accumulation: 2, precision: bf16 }',
		'backend: cuda',
	];
	writeFileSync(file, `${config.join('\n')}\n`);
	return file;
}
