import { describe, expect, it } from 'vitest';
import { type Backend, isDouble, type QuantizedWeight } from '../backends/contract.ts';
import { createStandInBackend, prepareStandIn } from '../backends/cuda/testing/stand-in.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { elements, viewOf } from '../backends/view.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { dequantizeFourBit, quantizeFourBit } from '../quantize/four-bit.ts';
import { normalArray } from '../random/streams.ts';
import { frozenWeights, uploadQuantized } from './frozen-weights.ts';

const { missing } = await prepareStandIn();

const shape = [65, 260] as const; // more than 256 blocks, the last one short
const values = normalArray(1, 2, shape[0] * shape[1], 0.1);
const quantized = quantizeFourBit(values, [...shape], 'nf4', { doubleQuantization: true });
const source: WeightSource = {
	place: 'test',
	names: ['w.weight'],
	info: (name) => (name === 'w.weight' ? { dtype: 'F32', shape, byteLength: values.byteLength } : undefined),
	read: () => new Uint8Array(values.slice().buffer),
	readPart: () => new Uint8Array(0),
	close() {},
};

function valuesOf(backend: Backend, weight: QuantizedWeight) {
	const target = viewOf(backend.allocate('f32', elements(shape)), shape);
	backend.dequantize(target, weight);
	const found = backend.download(target);
	backend.free(target.buffer);
	return found;
}

describe.skipIf(missing !== undefined)('scales that are quantised in their turn, on a card', () => {
	it('stay so, whether the matrix is quantised there or stored, and stand for the same values', () => {
		const backend = createStandInBackend();
		const loaded = frozenWeights(backend, source, 'nf4', true);
		const [made, stored] = [
			loaded.place({ name: 'w.weight', shape, kind: 'linear' }) as QuantizedWeight,
			uploadQuantized(backend, quantized),
		];
		const expected = dequantizeFourBit(quantized);
		for (const weight of [made, stored]) {
			expect(isDouble(weight.scales)).toBe(true);
			expect(valuesOf(backend, weight)).toEqual(expected);
		}
		loaded.free();
		// the other matrix: its codes, scales of two levels and their map, codebook
		expect(backend.memory().liveBuffers).toBe(5);
		const blocks = Math.ceil(elements(shape) / 64);
		const bytes = elements(shape) / 2 + blocks + 4 * Math.ceil(blocks / 256) + 4 * 256 + 4 * 16;
		expect(backend.memory().liveBytes).toBe(bytes);
		backend.close();
	});

	it('are as they are where the config wants no double quantisation', () => {
		const backend = createStandInBackend();
		const { place, free } = frozenWeights(backend, source, 'nf4', false);
		const weight = place({ name: 'w.weight', shape, kind: 'linear' }) as QuantizedWeight;
		expect(isDouble(weight.scales)).toBe(false);
		free();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});

it('are restored once where a backend does not keep them', () => {
	const backend = createReferenceBackend();
	const { place, free } = frozenWeights(backend, source, 'nf4', true);
	const weight = place({ name: 'w.weight', shape, kind: 'linear' }) as QuantizedWeight;
	expect(isDouble(weight.scales)).toBe(false);
	expect(valuesOf(backend, weight)).toEqual(dequantizeFourBit(quantized));
	const double = { ...weight.scales, map: weight.scales } as unknown as QuantizedWeight['scales'];
	expect(() => valuesOf(backend, { ...weight, scales: double })).toThrow(
		'keeps no scales that are quantised',
	);
	free();
	backend.close();
});
