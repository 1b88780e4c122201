import { describe, expect, test } from 'vitest';
import type { Backend } from '../backends/contract.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { createRopeTable } from '../layers/rope-table.ts';
import { uploadQuantized } from '../models/frozen-weights.ts';
import { quantizeMatrix } from '../quantize/matrix.ts';
import { createParameters } from './parameters.ts';

describe('parameters', () => {
	test('lie one after the other in one buffer, their gradients at the same places, and start at zero', () => {
		const backend = createReferenceBackend();
		const parameters = createParameters(backend, [
			{ name: 'a', shape: [2, 3] },
			{ name: 'b', shape: [4] },
		]);
		expect(parameters.values.shape).toEqual([10]);
		expect(parameters.get('b')).toMatchObject({
			offset: 6,
			shape: [4],
			tracked: true,
			gradient: { offset: 6 },
		});
		backend.fill(parameters.get('b').gradient!, 2);
		expect([...backend.download(parameters.gradients)]).toEqual([0, 0, 0, 0, 0, 0, 2, 2, 2, 2]);
		parameters.free();
		expect(backend.memory().liveBuffers).toBe(0);
	});

	test('are known by their name', () => {
		const parameters = createParameters(createReferenceBackend(), [{ name: 'a', shape: [1] }]);
		expect([parameters.has('a'), parameters.has('b')]).toEqual([true, false]);
		expect(() => parameters.get('b')).toThrow(expect.objectContaining({ code: 'UNKNOWN_PARAMETER' }));
	});

	test('of equal names are refused before anything is allocated', () => {
		const backend = createReferenceBackend();
		const twice = [
			{ name: 'a', shape: [1] },
			{ name: 'a', shape: [2] },
		];
		expect(() => createParameters(backend, twice)).toThrow(
			expect.objectContaining({
				code: 'DUPLICATE_PARAMETER',
				message: 'two trainable parameters are named a',
			}),
		);
		expect(backend.memory().liveBuffers).toBe(0);
	});
});

describe('where memory ends in the middle', () => {
	/** A backend that gives so many buffers and no more. */
	function scarce(buffers: number): Backend {
		const backend = createReferenceBackend();
		let given = 0;
		return {
			...backend,
			allocate(dtype, length) {
				if (given++ === buffers) throw new Error('no memory');
				return backend.allocate(dtype, length);
			},
		};
	}
	const matrix = quantizeMatrix(new Float32Array(64).fill(1), [8, 8], 'nf4');

	test.each([
		['parameters', 1, (b: Backend) => createParameters(b, [{ name: 'a', shape: [2] }])],
		['a rotary table', 1, (b: Backend) => createRopeTable(b, Float64Array.of(1), 4)],
		['a quantised matrix after its codes', 1, (b: Backend) => uploadQuantized(b, matrix)],
		['a quantised matrix after its scales', 2, (b: Backend) => uploadQuantized(b, matrix)],
	] as const)('%s give back what they have got', (_, buffers, make) => {
		const backend = scarce(buffers);
		expect(() => make(backend)).toThrow('no memory');
		expect(backend.memory().liveBuffers).toBe(0);
		make(scarce(3));
	});
});
