import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { askPeers } from '../peers.ts';
import { type Ground, linesOf, longSequences, onGround, shortSequences, timed, train } from '../runs.ts';
import { type ModelShape, shapeOf13B, smollm2, writeSyntheticModel } from '../synthetic-model.ts';

const demoBase = fileURLToPath(new URL('../../../packages/vulntune/assets/demo-base', import.meta.url));

/** Whole runs of `vulntune train`: that they repeat, that a killed one goes on to the same bytes, and how fast they are. */
export function trainingPart() {
	return onGround((ground) => {
		const { folder, args } = ground;
		const every4Steps = ['--sequence.length', '256', '--training.checkpointEverySteps', '4'];
		const short = [...args, '--model', demoBase, ...every4Steps];
		const fourLayers = shapeOf13B(4);
		return {
			demoBase: Object.fromEntries(
				(['fp32', 'bf16', 'int8'] as const).map((precision) => [
					precision,
					repeats(folder, [...short, '--training.precision', precision]),
				]),
			),
			resumed: resumes(folder, short),
			checkpointing: checkpoints(folder, short),
			smollm2: timedOf(ground, smollm2, longSequences),
			fourLayersOf13B: timedOf(ground, fourLayers, longSequences),
			fourLayersOnBf16: timedOf(ground, fourLayers, [...longSequences, ...onBf16]),
			shortSequences: {
				oneByOne: timedOf(ground, fourLayers, shortSequences),
				atOnce: timedOf(ground, fourLayers, [...shortSequences, '--training.sequencesPerPass', '4']),
			},
			peft: askPeers('step', ['4x5120x13824x40x2048']),
		};
	});
}

const onBf16 = ['--method.type', 'lora', '--method.base', 'bf16'];

/** Steps of a model of random weights. */
function timedOf(ground: Ground, shape: ModelShape, options: readonly string[]) {
	const model = path.join(ground.folder, 'model');
	writeSyntheticModel(model, shape);
	const result = timed(ground, model, '--training.epochs', '4', ...options);
	rmSync(model, { recursive: true });
	return result;
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

/** Whether a run ends in the same adapter with blocks that are computed twice, what enters them on the card or in the host's memory. */
function checkpoints(folder: string, args: readonly string[]) {
	const hashes = ['false', 'true', 'host'].map((checkpointing) => {
		const output = path.join(folder, `checkpointing-${checkpointing}`);
		train(output, [...args, '--training.checkpointing', checkpointing]);
		return adapterHash(output);
	});
	return { sameBytes: new Set(hashes).size === 1 };
}
