import { composedLinear, type LinearGroup, type LinearParts } from '../composed-linear.ts';
import type { Dropout, LinearOutput, View } from '../contract.ts';
import { describe } from '../view.ts';
import { type CpuDevice, expectType, outOfMemoryGuard } from './device.ts';
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
		engine: number,
		tokens: number,
		outputs: number,
		inputs: number,
		rank: number,
		dx: number,
		accumulateDx: boolean,
		dA: number,
		accumulateDA: boolean,
		dB: number,
		accumulateDB: boolean,
		x: number,
		h: number,
		a: number,
		b: number,
		dy: number,
		storage: number,
		data: number,
		scales: number,
		codebook: number,
		scale: number,
		bf16: boolean,
		seed: number,
		stream: number,
		probability: number,
	): void;
}

/** `mostParts` in gemm.h. */
const mostLayers = 4;
/** Numbers of a `LayerDescription` in linear.h. */
const descriptionLength = 14;

const noDropout: Dropout = { seed: 0, stream: 0, probability: 0 };

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
			const { dx, dA, dB } = gradients;
			const { x, weight, h, a, b } = saved;
			const { scale, precision, dropout = noDropout } = options;
			if (precision === 'int8') return inParts.linearBackward(gradients, saved, dy, options);
			const [outputs, inputs] = weight.shape as [number, number];
			const { storage, data, scales, codebook } = nativeWeight(device, weight);
			const { seed, stream, probability } = dropout;
			outOfMemoryGuard(
				() => `the gradients of a linear layer ${describe(weight)} for ${describe(dy)}`,
				() =>
					kernels.linearBackward(
						...([device.engine, dy.shape[0]!, outputs, inputs, a.shape[0]!] as const),
						...([dx === undefined ? 0 : floats(dx.view), dx?.accumulate === true] as const),
						...([floats(dA.view), dA.accumulate, floats(dB.view), dB.accumulate] as const),
						...([floats(x), floats(h), floats(a), floats(b), floats(dy)] as const),
						...([storage, data, scales, codebook] as const),
						...([scale, precision === 'bf16', seed, stream, probability] as const),
					),
			);
		},
	};
}
