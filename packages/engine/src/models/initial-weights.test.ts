import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { expectedTensors } from './families.ts';
import { INITIAL_DEVIATION, initialWeight } from './initial-weights.ts';
import { createTrainableModel } from './load-model.ts';
import { parseModelConfig } from './model-config.ts';

const config = parseModelConfig(
	{
		model_type: 'llama',
		hidden_size: 64,
		intermediate_size: 96,
		num_hidden_layers: 8,
		num_attention_heads: 4,
		num_key_value_heads: 2,
		vocab_size: 300,
		attention_bias: true,
	},
	'config.json',
);

function deviation(values: Float32Array): number {
	return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

const tensor = (end: string) => expectedTensors(config).find(({ name }) => name.endsWith(end))!;

describe('fresh weights', () => {
	test('have the deviation of their kind', () => {
		const residual = INITIAL_DEVIATION / Math.sqrt(16);
		for (const [end, expected] of [
			['embed_tokens.weight', INITIAL_DEVIATION],
			['layers.3.self_attn.q_proj.weight', INITIAL_DEVIATION],
			['layers.3.self_attn.o_proj.weight', residual],
			['layers.3.mlp.up_proj.weight', INITIAL_DEVIATION],
			['layers.3.mlp.down_proj.weight', residual],
			['lm_head.weight', INITIAL_DEVIATION],
		] as const) {
			const values = initialWeight(tensor(end), config, 1);
			expect(deviation(values) / expected).toBeGreaterThan(0.95);
			expect(deviation(values) / expected).toBeLessThan(1.05);
		}
	});

	test('are 1 for norms and 0 for biases', () => {
		expect(new Set(initialWeight(tensor('layers.0.input_layernorm.weight'), config, 1))).toEqual(
			new Set([1]),
		);
		expect(new Set(initialWeight(tensor('layers.0.self_attn.q_proj.bias'), config, 1))).toEqual(new Set([0]));
	});

	test('differ from tensor to tensor and from seed to seed, and are the same for the same', () => {
		const [first, second] = [tensor('layers.0.mlp.up_proj.weight'), tensor('layers.1.mlp.up_proj.weight')];
		expect(initialWeight(first, config, 1)).not.toEqual(initialWeight(second, config, 1));
		expect(initialWeight(first, config, 1)).not.toEqual(initialWeight(first, config, 2));
		expect(initialWeight(first, config, 1)).toEqual(initialWeight(first, config, 1));
	});

	test('fill a trainable model', () => {
		const backend = createReferenceBackend();
		const { model, parameters, free } = createTrainableModel(backend, config, 16, 3);
		const head = tensor('lm_head.weight');
		expect(backend.download(parameters.get(head.name))).toEqual(initialWeight(head, config, 3));
		expect(model.outputMatrix).toBe(parameters.get(head.name));
		expect(parameters.specs.map(({ name }) => name)).toEqual(expectedTensors(config).map(({ name }) => name));
		free();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});

	test('leave nothing behind where one of them cannot be made', () => {
		const backend = createReferenceBackend();
		expect(() => createTrainableModel(backend, config, 16, -1)).toThrow(/seed/);
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});
