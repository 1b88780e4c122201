import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { smallConfig } from '../formats/testing/small-model.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { linearCrossEntropy } from '../ops/linear-cross-entropy.ts';
import { Arena } from '../tensor/arena.ts';
import { uploadIndices, uploadSegments, uploadTargets } from '../tensor/indices.ts';
import { Tape } from '../tensor/tape.ts';
import { type Context, upload } from '../tensor/tensor.ts';
import { createTrainableModel } from './load-model.ts';
import { parseModelConfig } from './model-config.ts';

const tokens = Int32Array.of(1, 5, 3, 7, 2, 4, 8, 6);
const starts = Int32Array.of(0, 5, 8);
const positions = Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2);
// one twice, as functions with one beginning have it
const rows = Int32Array.of(4, 6, 4);

/** States of the rows, and the gradients of a loss on them, with the rows chosen before the last block's end or after it. */
function pass(early: boolean, checkpointing: boolean) {
	const backend = createReferenceBackend();
	const config = parseModelConfig({ ...smallConfig, num_hidden_layers: 2 }, 'config.json');
	const { model, parameters, free } = createTrainableModel(backend, config, 16, 3);
	for (const layer of model.linears) backend.scale(layer.weight as never, 20);
	const arena = new Arena(backend);
	const tape = new Tape();
	const context: Context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined };
	const pack = {
		ids: uploadIndices(context, tokens),
		positions: uploadIndices(context, positions),
		segments: uploadSegments(context, starts),
	};
	const wanted = uploadIndices(context, rows);
	const states = early
		? model.hidden(context, pack, { checkpointing, rows: wanted })
		: gatherRows(context, model.hidden(context, pack, { checkpointing }), wanted);
	const values = [...backend.download(states)];
	const targets = uploadTargets(context, Int32Array.of(3, 1, 2));
	const losses = linearCrossEntropy(context, states, model.outputMatrix!, targets);
	backend.fill(parameters.gradients, 0);
	tape.backward(context, losses, upload(context, new Float32Array([0.5, 0.25, 1])));
	const gradients = [...backend.download(parameters.gradients)];
	arena.close();
	free();
	expect(backend.memory().liveBuffers).toBe(0);
	return { shape: states.shape, values, gradients };
}

test.each([false, true])(
	'a Llama asked for some rows gives the same states and gradients (checkpointing: %s)',
	(checkpointing) => {
		const early = pass(true, checkpointing);
		const late = pass(false, checkpointing);
		expect(early.shape).toEqual([3, 16]);
		expect(early.values).toEqual(late.values);
		const largest = Math.max(...late.gradients.map(Math.abs));
		expect(largest).toBeGreaterThan(0.01);
		for (const [i, gradient] of early.gradients.entries()) {
			expect(Math.abs(gradient - late.gradients[i]!)).toBeLessThan(1e-6 * largest);
		}
	},
);
