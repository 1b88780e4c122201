import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { Arena } from '../tensor/arena.ts';
import { uploadIndices, uploadSegments } from '../tensor/indices.ts';
import type { Context } from '../tensor/tensor.ts';
import { createTrainableModel } from './load-model.ts';
import { parseModelConfig } from './model-config.ts';

const [hidden, heads, headDim] = [8, 2, 4];
const config = parseModelConfig(
	{
		model_type: 'bert',
		vocab_size: 12,
		hidden_size: hidden,
		num_hidden_layers: 2,
		num_attention_heads: heads,
		intermediate_size: 12,
	},
	'config.json',
);

const modernBert = parseModelConfig(
	{
		model_type: 'modernbert',
		vocab_size: 12,
		hidden_size: hidden,
		num_hidden_layers: 1,
		num_attention_heads: heads,
		intermediate_size: 6,
		layer_types: ['sliding_attention'],
		local_attention: 2,
	},
	'config.json',
);

/** The softmax of every head written out, summed over heads and queries. */
function byHand(
	states: readonly (readonly number[])[],
	query: ArrayLike<number>,
	key: ArrayLike<number>,
): number[] {
	const times = (weight: ArrayLike<number>, x: readonly number[]) =>
		Array.from({ length: hidden }, (_, o) =>
			x.reduce((sum, value, i) => sum + value * weight[o * hidden + i]!, 0),
		);
	const queries = states.map((x) => times(query, x));
	const keys = states.map((x) => times(key, x));
	const received = states.map(() => 0);
	for (let head = 0; head < heads; head++) {
		const of = (vector: readonly number[]) => vector.slice(head * headDim, (head + 1) * headDim);
		for (const q of queries) {
			const scores = keys.map((k) =>
				Math.exp(of(q).reduce((sum, value, i) => sum + value * of(k)[i]!, 0) / Math.sqrt(headDim)),
			);
			const total = scores.reduce((a, b) => a + b, 0);
			for (const [token, score] of scores.entries()) received[token]! += score / total;
		}
	}
	return received;
}

test('is dealt out in a window too, where the first block has no norm and turns its queries', () => {
	const backend = createReferenceBackend();
	const { model, free } = createTrainableModel(backend, modernBert, 16, 3);
	const arena = new Arena(backend);
	const context: Context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined };
	const pack = {
		ids: uploadIndices(context, Int32Array.of(1, 5, 3, 7, 2, 4, 8, 6)),
		positions: uploadIndices(context, Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2)),
		segments: uploadSegments(context, Int32Array.of(0, 5, 8)),
	};
	const found = model.receivedAttention(context, pack);
	expect(found.subarray(0, 5).reduce((a, b) => a + b, 0)).toBeCloseTo(heads * 5, 4);
	// at both ends a window of three holds two tokens: each is seen by itself and its neighbour alone
	expect(found[0]).toBeLessThan(found[2]!);
	arena.close();
	free();
	expect(backend.memory().liveBuffers).toBe(0);
});

test('is the sum over heads and queries of the softmax of the first block, function by function', () => {
	const backend = createReferenceBackend();
	const { model, parameters, free } = createTrainableModel(backend, config, 16, 3);
	for (const layer of model.linears) backend.scale(layer.weight as never, 40);
	const arena = new Arena(backend);
	const context: Context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined };
	const starts = [0, 5, 8];
	const pack = {
		ids: uploadIndices(context, Int32Array.of(1, 5, 3, 7, 2, 4, 8, 6)),
		positions: uploadIndices(context, Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2)),
		segments: uploadSegments(context, Int32Array.from(starts)),
	};
	let entered: number[] = [];
	model.hidden(context, pack, { observe: (layer, x) => layer === 0 && (entered = [...backend.download(x)]) });
	const found = model.receivedAttention(context, pack);
	const states = Array.from({ length: 8 }, (_, t) => entered.slice(t * hidden, (t + 1) * hidden));
	const matrix = (part: string) =>
		backend.download(parameters.get(`bert.encoder.layer.0.attention.self.${part}.weight`));
	const expected = [0, 1].flatMap((f) =>
		byHand(states.slice(starts[f], starts[f + 1]), matrix('query'), matrix('key')),
	);
	// every query deals out 1 for each head
	expect(found.reduce((a, b) => a + b, 0)).toBeCloseTo(heads * 8, 4);
	for (const [token, value] of expected.entries()) expect(found[token]).toBeCloseTo(value, 5);
	expect(Math.max(...found) - Math.min(...found)).toBeGreaterThan(0.1);
	arena.close();
	free();
	expect(backend.memory().liveBuffers).toBe(0);
});
