import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { smallConfig } from '../formats/testing/small-model.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import type { LinearLayer } from '../layers/linear-layer.ts';
import { Arena } from '../tensor/arena.ts';
import { uploadIndices, uploadSegments } from '../tensor/indices.ts';
import { type Context, type Tensor, upload } from '../tensor/tensor.ts';
import { dryModel } from './dry-model.ts';
import { namedWeights } from './families.ts';
import { createTrainableModel } from './load-model.ts';
import { checkBidirectional, checkPrefix, type PackTensors } from './model.ts';
import { parseModelConfig } from './model-config.ts';

/** A decoder whose queries, keys and values come from one matrix, and an encoder. */
const fused = {
	...{ model_type: 'gpt_bigcode', vocab_size: 10, bos_token_id: 1, eos_token_id: 2 },
	...{ n_embd: 16, n_head: 4, n_layer: 1, n_positions: 16, multi_query: true },
};
const encoder = {
	...{ model_type: 'bert', vocab_size: 10, hidden_size: 16, intermediate_size: 24 },
	...{ num_attention_heads: 4, num_hidden_layers: 1, max_position_embeddings: 16 },
};

function setUp(changes: object = {}) {
	const backend = createReferenceBackend();
	const config = parseModelConfig({ ...smallConfig, num_hidden_layers: 2, ...changes }, 'config.json');
	const loaded = createTrainableModel(backend, config, 16, 3);
	// fresh matrices are so small that a token hardly sees another
	for (const layer of loaded.model.linears) backend.scale(layer.weight as never, 20);
	const arena = new Arena(backend);
	const context: Context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined };
	/** Hidden states of each token of functions packed together. */
	const statesOf = (functions: readonly (readonly number[])[], options = {}): number[][] => {
		const starts = [0];
		for (const tokens of functions) starts.push(starts.at(-1)! + tokens.length);
		const pack: PackTensors = {
			ids: uploadIndices(context, Int32Array.from(functions.flat())),
			positions: uploadIndices(
				context,
				Int32Array.from(functions.flatMap((tokens) => tokens.map((_, i) => i))),
			),
			segments: uploadSegments(context, Int32Array.from(starts)),
		};
		const hidden = loaded.model.hidden(context, pack, options);
		const values = [...backend.download(hidden)];
		const size = config.hiddenSize;
		return functions.flat().map((_, i) => values.slice(i * size, (i + 1) * size));
	};
	return { backend, arena, context, config, statesOf, ...loaded };
}

describe('a small Llama', () => {
	test.each([1, 2, 4])(
		'with %i heads of keys and values sees earlier tokens and never later ones',
		(heads) => {
			const { statesOf, model } = setUp({ num_key_value_heads: heads });
			expect(model.linears[1]!.weight.shape).toEqual([heads * 4, 16]);
			const states = statesOf([[1, 5, 3, 7, 2]]);
			const laterChanged = statesOf([[1, 5, 3, 7, 9]]);
			expect(laterChanged.slice(0, 4)).toEqual(states.slice(0, 4));
			expect(laterChanged[4]).not.toEqual(states[4]);
			const earlierChanged = statesOf([[1, 6, 3, 7, 2]]);
			expect(earlierChanged[0]).toEqual(states[0]);
			for (const t of [1, 2, 3, 4]) expect(earlierChanged[t]).not.toEqual(states[t]);
		},
	);

	test('gives a function the same states alone and between others', () => {
		const { statesOf } = setUp();
		const alone = statesOf([[4, 8, 6]]);
		const packed = statesOf([[1, 5], [4, 8, 6], [7]]);
		expect(packed.slice(2, 5)).toEqual(alone);
	});

	test('shares the matrix of its tokens with the output where they are tied', () => {
		const tied = setUp({ tie_word_embeddings: true });
		expect(tied.model.outputMatrix).toBe(tied.parameters.get('model.embed_tokens.weight'));
		expect(tied.parameters.has('lm_head.weight')).toBe(false);
		const untied = setUp();
		expect(untied.model.outputMatrix).toBe(untied.parameters.get('lm_head.weight'));
		expect(untied.model.outputMatrix).not.toBe(untied.parameters.get('model.embed_tokens.weight'));
	});

	test('shows what enters the first block and what leaves each', () => {
		const { backend, statesOf, parameters } = setUp();
		const seen: [number, number[]][] = [];
		statesOf([[3, 0]], {
			observe: (layer: number, hidden: never) => seen.push([layer, [...backend.download(hidden)]]),
		});
		expect(seen.map(([layer]) => layer)).toEqual([0, 1, 2]);
		const table = [...backend.download(parameters.get('model.embed_tokens.weight'))];
		expect(seen[0]![1]).toEqual([...table.slice(48, 64), ...table.slice(0, 16)]);
	});

	test('goes on from what entered a block', () => {
		const { backend, context, statesOf } = setUp();
		const entered: Tensor[] = [];
		const watch = (layer: number, x: Tensor) => {
			if (layer === 1) entered.push(upload(context, Float32Array.from(backend.download(x)), x.shape));
		};
		const whole = statesOf([[3, 0, 5], [2]], { observe: watch });
		const seen: number[] = [];
		const start = { block: 1, states: entered[0]! };
		const observe = (layer: number) => seen.push(layer);
		expect(statesOf([[3, 0, 5], [2]], { start, observe })).toEqual(whole);
		expect(seen).toEqual([2]);
	});

	test('sees both ways in its last blocks alone', () => {
		const { context, model } = setUp();
		const pack = {
			ids: uploadIndices(context, Int32Array.of(3, 0, 5)),
			positions: uploadIndices(context, Int32Array.of(0, 1, 2)),
			segments: uploadSegments(context, Int32Array.of(0, 3)),
		};
		const leaving = (count: number) => {
			const states: number[][] = [];
			const observe = (_: number, x: Tensor) => states.push([...context.backend.download(x)]);
			model.withBidirectionalLayers(count).hidden(context, pack, { observe });
			return states;
		};
		const [plain, last, both] = [leaving(0), leaving(1), leaving(2)] as const;
		expect(last[1]).toEqual(plain[1]);
		expect(last[2]!.slice(0, 16)).not.toEqual(plain[2]!.slice(0, 16));
		expect(both[1]!.slice(0, 16)).not.toEqual(plain[1]!.slice(0, 16));
		const refused = expect.objectContaining({ code: 'BIDIRECTIONAL_UNAVAILABLE' });
		expect(() => model.withBidirectionalLayers(3)).toThrow(refused);
		const encoder = { architecture: 'bert', causal: false, layers: 2 };
		expect(() => checkBidirectional(encoder, 1)).toThrow(refused);
	});

	test('has frozen blocks below the lowest that is trained', () => {
		const { backend, model, config } = setUp();
		expect(model.frozenBlocks).toBe(0);
		const options = { base: 'fp32', doubleQuantization: false, maxPositions: 8 } as const;
		const frozen = dryModel(backend, config, options).model;
		expect(frozen.frozenBlocks).toBe(2);
		const adapted = (part: string) =>
			frozen.replaceLinears((layer) =>
				layer.name.includes(part) ? { ...layer, lora: {} as LinearLayer['lora'] } : layer,
			).frozenBlocks;
		expect([adapted('layers.1.mlp.down'), adapted('layers.0.self_attn.q'), adapted('.v_proj')]).toEqual([
			1, 0, 0,
		]);
		const prefix = { key: { shape: [3, 16] } };
		expect(frozen.withPrefix([prefix, prefix] as never).frozenBlocks).toBe(0);
	});

	test.each([
		['a fused projection', fused, 'has queries, keys and values in one matrix'],
		['an encoder', encoder, 'is an encoder'],
	])('refuses a prefix where it has %s, with its weights and before they are there', (_, json, why) => {
		const config = parseModelConfig(json, 'config.json');
		const { model } = createTrainableModel(createReferenceBackend(), config, 8, 3);
		const refused = expect.objectContaining({
			code: 'PREFIX_UNAVAILABLE',
			summary: expect.stringContaining(why),
		});
		expect(thrownBy(() => model.withPrefix([]))).toEqual(refused);
		expect(thrownBy(() => checkPrefix(config, namedWeights(config).blocks))).toEqual(refused);
	});

	test('has seven matrices a block, which can be replaced by name', () => {
		const { model } = setUp();
		const names = model.linears.map(({ name }) => name);
		expect(names).toHaveLength(14);
		expect(new Set(names).size).toBe(14);
		const replaced = model.replaceLinears((layer) => ({ ...layer, name: `new ${layer.name}` }));
		expect(replaced.linears.map(({ name }) => name)).toEqual(names.map((name) => `new ${name}`));
		expect(model.linears.map(({ name }) => name)).toEqual(names);
	});

	test('gives all its memory back', () => {
		const { backend, arena, statesOf, free } = setUp();
		const before = backend.memory().liveBuffers;
		statesOf([[1, 2, 3]]);
		// the pack's three tensors and the states
		expect(backend.memory().liveBuffers - before).toBe(4);
		arena.close();
		free();
		expect(backend.memory().liveBuffers).toBe(0);
	});
});
