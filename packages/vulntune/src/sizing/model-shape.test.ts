import { describe, expect, test } from 'vitest';
import { knownModel, shapeOf } from './model-shape.ts';

describe('models that are known by name', () => {
	// thousand millions of weights, as their publishers name them
	test.each([
		['codellama/CodeLlama-7b-hf', 6.74],
		['WizardLMTeam/WizardCoder-Python-13B-V1.0', 13.02],
		['deepseek-ai/deepseek-coder-1.3b-base', 1.35],
		['HuggingFaceTB/SmolLM2-135M', 0.13],
		['TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T', 1.1],
		['mistralai/Mistral-7B-v0.1', 7.24],
		['Qwen/Qwen2.5-Coder-0.5B', 0.49],
		['Qwen/Qwen2.5-Coder-1.5B', 1.54],
		['Qwen/Qwen2.5-Coder-3B', 3.09],
		['Qwen/Qwen2.5-Coder-7B', 7.62],
		['Qwen/Qwen2.5-Coder-14B', 14.77],
		['Qwen/Qwen2.5-Coder-32B', 32.76],
		['bigcode/starcoder2-3b', 3.03],
		['bigcode/starcoder2-7b', 7.17],
		['bigcode/starcoder2-15b', 15.96],
	])('%s has %d', (name, weights) => {
		expect(shapeOf(knownModel(name)!).parameters / 1e9).toBeCloseTo(weights, 2);
	});

	test('others have no shape', () => {
		expect(knownModel('models/some-7b')).toBe(undefined);
	});
});
