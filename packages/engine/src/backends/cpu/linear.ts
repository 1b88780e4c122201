import { composedLinear, type LinearGroup, type LinearParts } from '../composed-linear.ts';
import type { LinearOutput, View } from '../contract.ts';
import { describe } from '../view.ts';
import { type CpuDevice, expectType, outOfMemoryGuard } from './device.ts';
import { type AdapterGradients, adapterGradients, noDropout } from './lora.ts';
import { nativeWeight } from './matmul.ts';
import { kernelsOf } from './native.ts';

interface LinearKernels {
	linearForward(
		engine: number,
		tokens: number,
		inputs: number,
		x: number,
		count: number,
		descriptions: number,
		bf16: boolean,
	): void;
	linearBackward(
		...values: [
			...AdapterGradients,
			storage: number,
			data: number,
			scales: number,
			codebook: number,
			scale: number,
			bf16: boolean,
			seed: number,
			stream: number,
			probability: number,
		]
	): void;
}

/** `mostParts` in gemm.h. */
const mostLayers = 4;
/** Numbers of a `LayerDescription` in linear.h. */
const descriptionLength = 14;

/** Linear layers with their adapters; under int8, base and adapter are products of different kinds, made of `parts`. */
export function linearGroup(device: CpuDevice, parts: LinearParts): LinearGroup {
	const inParts = composedLinear(parts);
	const kernels = kernelsOf<LinearKernels>(device.addon);
	const descriptions = new Float64Array(mostLayers * descriptionLength);
	const descriptionBytes = new Uint8Array(descriptions.buffer);
	const descriptionsAt = device.addon.allocate(device.engine, descriptions.byteLength);

	function floats(view: View): number {
		expectType(view, 'f32', 'a linear layer');
		return device.address(view);
	}

	function describeLayer({ y, weight, lora }: LinearOutput): number[] {
		const native = nativeWeight(device, weight);
		const base = [native.storage, native.data, native.scales, native.codebook, floats(y)];
		const outputs = weight.shape[0]!;
		if (lora === undefined) return [outputs, ...base, 0, 0, 0, 0, 0, 0, 0, 0];
		const { h, a, b, scale, dropout = noDropout } = lora;
		const { seed, stream, probability } = dropout;
		return [
			...[outputs, ...base, a.shape[0]!, floats(h), floats(a), floats(b)],
			...[scale, seed, stream, probability],
		];
	}

	return {
		linearForward(x, layers, precision) {
			if (precision === 'int8') return inParts.linearForward(x, layers, precision);
			const [tokens, inputs] = x.shape as [number, number];
			for (let first = 0; first < layers.length; first += mostLayers) {
				const together = layers.slice(first, first + mostLayers);
				descriptions.set(together.flatMap(describeLayer));
				device.addon.upload(device.engine, descriptionsAt, descriptionBytes);
				outOfMemoryGuard(
					() => `linear layers of ${describe(x)}`,
					() =>
						kernels.linearForward(
							...([device.engine, tokens, inputs, floats(x)] as const),
							...([together.length, descriptionsAt, precision === 'bf16'] as const),
						),
				);
			}
		},
		linearBackward(gradients, saved, dy, options) {
			const { weight } = saved;
			const { scale, precision, dropout = noDropout } = options;
			if (precision === 'int8') return inParts.linearBackward(gradients, saved, dy, options);
			const { storage, data, scales, codebook } = nativeWeight(device, weight);
			const { seed, stream, probability } = dropout;
			outOfMemoryGuard(
				() => `the gradients of a linear layer ${describe(weight)} for ${describe(dy)}`,
				() =>
					kernels.linearBackward(
						...adapterGradients(device, gradients, saved, dy),
						...([storage, data, scales, codebook] as const),
						...([scale, precision === 'bf16', seed, stream, probability] as const),
					),
			);
		},
	};
}
