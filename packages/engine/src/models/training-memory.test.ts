import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isNightly } from '../../../../tests/nightly/nightly.ts';
import { createCpuBackend } from '../backends/cpu/cpu.ts';
import { cpuFeatures } from '../backends/cpu/features.ts';
import { viewOf } from '../backends/view.ts';
import { smallConfig } from '../formats/testing/small-model.ts';
import { linearCrossEntropy } from '../ops/linear-cross-entropy.ts';
import { Arena } from '../tensor/arena.ts';
import { uploadIndices, uploadSegments, uploadTargets } from '../tensor/indices.ts';
import { Tape } from '../tensor/tape.ts';
import { type Context, release, upload } from '../tensor/tensor.ts';
import { createTrainableModel } from './load-model.ts';
import { parseModelConfig } from './model-config.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Without what only waits to be collected, which differs with the load of the machine. */
function residentBytes(): number {
	collectGarbage();
	return process.memoryUsage.rss();
}

const steps = isNightly ? 1000 : 300;
const { failure } = cpuFeatures();
if (failure !== undefined)
	console.warn(`skipped: memory over many training steps, because ${failure.reason}`);

test.skipIf(failure !== undefined)(
	`${steps} training steps leave no buffer behind and no more memory in use`,
	() => {
		const backend = createCpuBackend({ threads: 1 });
		const config = parseModelConfig({ ...smallConfig, num_hidden_layers: 2, vocab_size: 200 }, 'config.json');
		const { model, parameters, free } = createTrainableModel(backend, config, 512, 1);
		const length = parameters.values.shape[0]!;
		const moments = [0, 1].map(() => viewOf(backend.allocate('f32', length), [length]));
		for (const moment of moments) backend.fill(moment, 0);
		const start = backend.memory();

		/** Trains on a pack of two functions of random length that count upwards; returns its mean loss. */
		const trainingStep = (step: number): number => {
			const [first, second] = [100 + ((step * 37) % 151), 60 + ((step * 53) % 139)];
			const tokens = first + second;
			const positions = Int32Array.from({ length: tokens }, (_, t) => (t < first ? t : t - first));
			const arena = new Arena(backend);
			const tape = new Tape();
			const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: step };
			const pack = {
				ids: uploadIndices(
					context,
					positions.map((position) => position % 200),
				),
				positions: uploadIndices(context, positions),
				segments: uploadSegments(context, Int32Array.of(0, first, tokens)),
			};
			const targets = uploadTargets(
				context,
				positions.map((position) => (position + 1) % 200),
			);
			const hidden = model.hidden(context, pack, { checkpointing: step % 2 === 0 });
			const losses = linearCrossEntropy(context, hidden, model.outputMatrix!, targets);
			release(context, hidden);
			const sum = Array.from(backend.download(losses)).reduce((total, loss) => total + loss, 0);
			const dLosses = upload(context, new Float32Array(tokens).fill(1 / tokens));
			backend.fill(parameters.gradients, 0);
			tape.backward(context, losses, dLosses);
			arena.close();
			backend.adamW(parameters.values, parameters.gradients, moments[0]!, moments[1]!, {
				learningRate: 3e-3,
				beta1: 0.9,
				beta2: 0.999,
				epsilon: 1e-8,
				weightDecay: 0,
				step,
				gradientScale: 1,
			});
			return sum / tokens;
		};

		const loss = trainingStep(1);
		for (let step = 2; step <= 100; step++) trainingStep(step);
		const warm = residentBytes();
		let last = loss;
		for (let step = 101; step <= steps; step++) last = trainingStep(step);
		const grown = residentBytes() / warm;
		const { liveBuffers, liveBytes } = backend.memory();
		expect({ liveBuffers, liveBytes }).toEqual({
			liveBuffers: start.liveBuffers,
			liveBytes: start.liveBytes,
		});
		expect(grown).toBeLessThan(1.05);
		// and it did train
		expect(last).toBeLessThan(loss / 2);
		free();
		for (const { buffer } of moments) backend.free(buffer);
		expect(backend.memory()).toMatchObject({ liveBuffers: 0, liveBytes: 0 });
		backend.close();
	},
);
