import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { viewOf } from '../view.ts';
import { runOn } from './workbench.ts';

const backend = createReferenceBackend();

describe('the workbench of the agreement suite', () => {
	it('gives outputs and records by name and frees all memory', () => {
		const outputs = runOn(backend, 1, ({ output, normal, record }) => {
			normal([3]);
			backend.fill(output('filled', [2]), 4);
			record('numbers', [1, 2]);
		});
		expect(outputs.get('filled')).toEqual(Float32Array.of(4, 4));
		expect(outputs.get('numbers')).toEqual(Float64Array.of(1, 2));
		expect(backend.memory().liveBuffers).toBe(0);
	});

	it('draws the same inputs in every run', () => {
		const draws = [1, 1, 2].map((seed) =>
			runOn(backend, seed, ({ draw, record }) => record('values', draw.normal(5))).get('values'),
		);
		expect(draws[0]).toEqual(draws[1]);
		expect(draws[0]).not.toEqual(draws[2]);
	});

	it.each([-1, 2])('notices a kernel that writes element %i of a tensor of 2', (element) => {
		expect(() =>
			runOn(backend, 1, ({ output }) => {
				const tensor = output('tensor', [2]);
				backend.fill(viewOf(tensor.buffer, [1], tensor.offset + element), 0);
			}),
		).toThrow('a kernel wrote outside of a tensor of shape [2]');
	});

	it('shows what a kernel left unwritten as NaN', () => {
		const outputs = runOn(backend, 1, ({ output }) => {
			output('tensor', [1]);
		});
		expect(outputs.get('tensor')![0]).toBeNaN();
	});
});
