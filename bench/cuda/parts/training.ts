import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateDemoDataset } from 'vulntune/demo/dataset.ts';
import { writeDemoDataset } from 'vulntune/demo/write-dataset.ts';
import { askPeers } from '../peers.ts';
import { type ModelShape, writeSyntheticModel } from '../synthetic-model.ts';

const vulntune = fileURLToPath(new URL('../../../packages/vulntune/bin/vulntune.mjs', import.meta.url));
const demoBase = fileURLToPath(new URL('../../../packages/vulntune/assets/demo-base', import.meta.url));

const smollm2: ModelShape = {
	layers: 30,
	hidden: 576,
	intermediate: 1536,
	heads: 9,
	keyValueHeads: 3,
	vocabulary: 49_152,
};
/** Four of the forty layers of a 13B model. */
const fourLayersOf13B: ModelShape = {
	layers: 4,
	hidden: 5120,
	intermediate: 13_824,
	heads: 40,
	keyValueHeads: 40,
	vocabulary: 32_016,
};

interface Step {
	readonly type: string;
	readonly seconds: number;
	readonly tokensPerSecond: number;
	readonly deviceBytes?: number;
}

/** Whole runs of `vulntune train`: that they repeat, that a killed one goes on to the same bytes, and how fast they are. */
export function trainingPart() {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-check-'));
	try {
		const data = path.join(folder, 'data');
		const options = { seed: 1, pairs: 160 };
		writeDemoDataset(data, generateDemoDataset(options), options);
		const base = [configFile(folder), '--data.path', data, '--model', demoBase];
		const short = [...base, '--sequence.length', '256', '--training.checkpointEverySteps', '4'];
		return {
			demoBase: Object.fromEntries(
				(['fp32', 'bf16', 'int8'] as const).map((precision) => [
					precision,
					repeats(folder, [...short, '--training.precision', precision]),
				]),
			),
			resumed: resumes(folder, short),
			smollm2: timed(folder, 'smollm2', smollm2, data, 2048),
			fourLayersOf13B: timed(folder, '13b', fourLayersOf13B, data, 2048),
			fourLayersOnBf16: timed(folder, '13b', fourLayersOf13B, data, 2048, [
				'--method.type',
				'lora',
				'--method.base',
				'bf16',
			]),
			peft: askPeers('step', ['4x5120x13824x40x2048']),
		};
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Runs the command line in a process of its own, killed after `limit` milliseconds; throws with its words where it fails. */
function train(output: string, args: readonly string[], limit?: number): 'finished' | 'killed' {
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

function linesOf<Line>(file: string): Line[] {
	return readFileSync(file, 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line) as Line);
}

function adapterHash(output: string): string {
	const file = path.join(output, 'adapter', 'adapter_model.safetensors');
	return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The losses of a run, and whether a second gives the same adapter. */
function repeats(folder: string, args: readonly string[]) {
	const outputs = ['first', 'second'].map((name) => path.join(folder, name));
	for (const output of outputs) train(output, [...args, '--overwrite']);
	const metrics = linesOf<{ type: string; loss?: number; validation?: { rocAuc: number } }>(
		path.join(outputs[0]!, 'metrics.jsonl'),
	);
	const [first, second] = outputs.map(adapterHash);
	return {
		sameBytes: first === second,
		losses: metrics.filter(({ type }) => type === 'step').map(({ loss }) => loss),
		rocAuc: metrics.findLast(({ type }) => type === 'epoch')?.validation?.rocAuc,
	};
}

/** Whether a run that is killed again and again ends in the adapter of one that is not. */
function resumes(folder: string, args: readonly string[]) {
	const [whole, killed] = ['whole', 'killed'].map((name) => path.join(folder, name)) as [string, string];
	const start = performance.now();
	train(whole, args);
	const milliseconds = performance.now() - start;
	let kills = 0;
	/** Later each time, so that it ends. */
	const limit = () => Math.round(milliseconds * (0.6 + 0.3 * kills));
	while (train(killed, kills === 0 ? args : [...args, '--resume'], limit()) === 'killed') kills++;
	return { kills, sameBytes: adapterHash(whole) === adapterHash(killed) };
}

/** Steps of one pack of a synthetic model: seconds in the median, memory of the host. */
function timed(
	folder: string,
	name: string,
	shape: ModelShape,
	data: string,
	tokens: number,
	options: readonly string[] = [],
) {
	const model = path.join(folder, name);
	writeSyntheticModel(model, shape);
	const args = ['--data.path', data, '--model', model, '--sequence.length', `${tokens}`];
	const output = path.join(folder, `${name}-run`);
	const start = performance.now();
	train(output, [configFile(folder), ...args, '--training.accumulation', '1', '--overwrite', ...options]);
	const seconds = (performance.now() - start) / 1000;
	const steps = linesOf<Step>(path.join(output, 'timings.jsonl')).filter(({ type }) => type === 'step');
	// the first ones load kernels and memory
	const times = steps.slice(3).map((step) => step.seconds);
	const speeds = steps.slice(3).map(({ tokensPerSecond }) => tokensPerSecond);
	rmSync(model, { recursive: true });
	return {
		steps: steps.length,
		stepSeconds: median(times),
		tokensPerSecond: median(speeds),
		deviceBytes: steps.at(-1)?.deviceBytes,
		wholeRunSeconds: seconds,
	};
}

function median(values: readonly number[]): number | undefined {
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
