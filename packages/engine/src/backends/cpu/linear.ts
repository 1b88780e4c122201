import type { LinearGroup } from '../compose-kernels.ts';
import type { LinearOutput, View } from '../contract.ts';
import { describe } from '../view.ts';
import type { Before } from './argument-lists.ts';
import { type CpuDevice, expectType, outOfMemoryGuard } from './device.ts';
import type { Address } from './handles.ts';
import type { Kernels } from './kernel-table.ts';
import { adapterGradients, noDropout } from './lora.ts';
import { nativeWeight } from './matmul.ts';

type Group = Parameters<Kernels['int8LinearForward']>;
type Mask = [seed: number, stream: number, probability: number];
type Gradients = Before<Parameters<Kernels['int8LinearBackward']>, Mask>;

/** `mostParts` in gemm.h and `mostInt8Parts` in int8Products.h. */
const mostLayers = 4;
/** Numbers of a `LayerDescription` in layerDescription.h. */
const descriptionLength = 14;

/** Linear layers with their adapters: the input of a group is read and packed once. */
export function linearGroup(device: CpuDevice): LinearGroup {
	const { kernels } = device;
	const descriptions = new Float64Array(mostLayers * descriptionLength);
	const descriptionBytes = new Uint8Array(descriptions.buffer);
	const descriptionsAt = device.addon.allocate(device.engine, descriptions.byteLength);

	function floats(view: View): Address {
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
			const [tokens, inputs] = x.shape as [number, number];
			for (let first = 0; first < layers.length; first += mostLayers) {
				const together = layers.slice(first, first + mostLayers);
				descriptions.set(together.flatMap(describeLayer));
				device.addon.upload(device.engine, descriptionsAt, descriptionBytes);
				const group: Group = [
					...([device.engine, tokens, inputs, floats(x)] as const),
					...([together.length, descriptionsAt] as const),
				];
				outOfMemoryGuard(
					() => `linear layers of ${describe(x)}`,
					() => {
						if (precision === 'int8') kernels.int8LinearForward(...group);
						else kernels.linearForward(...group, precision === 'bf16');
					},
				);
			}
		},
		linearBackward(gradients, saved, dy, { scale, precision, dropout = noDropout }) {
			const { weight } = saved;
			const { storage, data, scales, codebook } = nativeWeight(device, weight);
			const operands: Gradients = [
				...adapterGradients(device, gradients, saved, dy),
				...([storage, data, scales, codebook, scale] as const),
			];
			const mask: Mask = [dropout.seed, dropout.stream, dropout.probability];
			outOfMemoryGuard(
				() => `the gradients of a linear layer ${describe(weight)} for ${describe(dy)}`,
				() => {
					if (precision === 'int8') kernels.int8LinearBackward(...operands, ...mask);
					else kernels.linearBackward(...operands, precision === 'bf16', ...mask);
				},
			);
		},
	};
}
