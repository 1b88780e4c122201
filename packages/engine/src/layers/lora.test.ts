import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { createParameters } from '../tensor/parameters.ts';
import type { LinearLayer } from './linear-layer.ts';
import { attachLora, initializeLora, type LoraConfig, loraScale, loraSpecs, targetMatcher } from './lora.ts';

const prefix = 'model.layers.11';
const modules = [
	...['q', 'k', 'v', 'o'].map((part) => `${prefix}.self_attn.${part}_proj`),
	...['gate', 'up', 'down'].map((part) => `${prefix}.mlp.${part}_proj`),
];
const [query, key, value, output, gate, up, down] = modules as [
	string,
	string,
	string,
	string,
	string,
	string,
	string,
];

describe('targets', () => {
	test.each([
		['attention', [query, key, value, output]],
		['all-linear', modules],
		[
			['q_proj', 'v_proj'],
			[query, value],
		],
		[['mlp.up_proj'], [up]],
		[[gate], [gate]],
		[['*.mlp.*'], [gate, up, down]],
		[['model.layers.1.*'], []],
		[['model.layers.11.*.q_proj'], [query]],
		[['proj'], []],
		[['model?layers*'], []],
		[['*.self_attn.(q|k)_proj'], []],
		[
			['q_proj', '*.down_proj'],
			[query, down],
		],
		[[], []],
	] as const)('%j choose the right modules', (targets, expected) => {
		expect(modules.filter(targetMatcher(targets))).toEqual(expected);
	});
});

describe('an adapter', () => {
	const config: LoraConfig = { rank: 16, alpha: 32, dropout: 0.1, rsLora: false, targets: ['q_proj'] };
	const layers = [query, key].map((name) => ({ name, weight: { shape: [96, 400] } }));

	test('has A [r, K] before B [N, r] for each layer that is chosen', () => {
		expect(loraSpecs(layers, config)).toEqual([
			{ name: `${query}.lora_A.weight`, shape: [16, 400] },
			{ name: `${query}.lora_B.weight`, shape: [96, 16] },
		]);
		expect(
			loraSpecs([...layers, { ...layers[0]!, name: 'model.layers.1.self_attn.q_proj' }], {
				...config,
				layersToTransform: [1],
			}).map(({ name }) => name),
		).toEqual(['A', 'B'].map((part) => `model.layers.1.self_attn.q_proj.lora_${part}.weight`));
		expect(() => loraSpecs(layers, { ...config, layersToTransform: [11, 12] })).toThrow(
			expect.objectContaining({
				code: 'NO_LORA_TARGET',
				message: expect.stringMatching(/method\.layersToTransform.*the model has no block 12/),
			}),
		);
		expect(() => loraSpecs(layers, { ...config, targets: ['q_proj', 'v_*'] })).toThrow(
			expect.objectContaining({
				code: 'NO_LORA_TARGET',
				message: expect.stringMatching(/matches \["v_\*"\]/),
			}),
		);
		expect(() => loraSpecs(layers, { ...config, targets: ['nothing'] })).toThrow(
			expect.objectContaining({ code: 'NO_LORA_TARGET', remedy: expect.stringContaining(query) }),
		);
	});

	test('is scaled by alpha / rank, or by alpha / √rank with rsLoRA', () => {
		expect(loraScale({ rank: 16, alpha: 32, rsLora: false })).toBe(2);
		expect(loraScale({ rank: 16, alpha: 32, rsLora: true })).toBe(8);
	});

	test('starts with A uniform within ±1/√K, and with B zero', () => {
		const backend = createReferenceBackend();
		const parameters = createParameters(backend, loraSpecs(layers, { ...config, targets: 'all-linear' }));
		backend.fill(parameters.values, 9);
		initializeLora(backend, parameters, 5);
		const valuesOf = (name: string) => [...backend.download(parameters.get(name))];
		const a = valuesOf(`${query}.lora_A.weight`);
		const bound = 1 / 20;
		expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(bound);
		const mean = a.reduce((sum, x) => sum + x, 0) / a.length;
		const deviation = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) / a.length);
		// of 6400 draws: five standard errors
		expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * a.length));
		expect(Math.abs(deviation / (bound / Math.sqrt(3)) - 1)).toBeLessThan(0.03);
		expect(new Set(valuesOf(`${query}.lora_B.weight`))).toEqual(new Set([0]));
		expect(valuesOf(`${key}.lora_A.weight`)).not.toEqual(a);
		initializeLora(backend, parameters, 5);
		expect(valuesOf(`${query}.lora_A.weight`)).toEqual(a);
		initializeLora(backend, parameters, 6);
		expect(valuesOf(`${query}.lora_A.weight`)).not.toEqual(a);
	});

	test('is attached to the layers that have one, each with a dropout mask of its own', () => {
		const backend = createReferenceBackend();
		const parameters = createParameters(backend, loraSpecs(layers, { ...config, targets: [query, key] }));
		const attach = attachLora(parameters, { ...config, rsLora: true });
		const plain = (name: string): LinearLayer => ({
			name,
			weight: parameters.values,
			bias: undefined,
			lora: undefined,
		});
		const [first, second, none] = [attach(plain(query)), attach(plain(key)), attach(plain(up))];
		expect(first.lora).toMatchObject({
			scale: 8,
			dropout: 0.1,
			a: { shape: [16, 400] },
			b: { shape: [96, 16] },
		});
		expect(second.lora!.site).not.toBe(first.lora!.site);
		expect(none).toEqual(plain(up));
	});
});
