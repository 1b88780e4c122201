import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { indexTensor } from '../backends/testing/tensors.ts';
import { Arena } from '../tensor/arena.ts';
import { anglesAt, createRopeTable, inverseFrequencies } from './rope-table.ts';

describe('inverse frequencies', () => {
	test('fall by powers of theta', () => {
		const found = inverseFrequencies(8, 10_000, { type: 'none' });
		for (const [i, expected] of [1, 0.1, 0.01, 0.001].entries()) expect(found[i]).toBeCloseTo(expected, 15);
		expect(found).toHaveLength(4);
	});

	test('are divided by the factor of linear scaling', () => {
		const found = inverseFrequencies(8, 10_000, { type: 'linear', factor: 4 });
		for (const [i, expected] of [0.25, 0.025, 0.0025, 0.000_25].entries()) {
			expect(found[i]).toBeCloseTo(expected, 15);
		}
	});

	test("keep the high ones, divide the low ones and blend between in Llama 3's scaling", () => {
		const scaling = {
			type: 'llama3',
			factor: 8,
			lowFrequencyFactor: 1,
			highFrequencyFactor: 4,
			originalMaxPositions: 1000,
		} as const;
		// turns within 1000 positions: 1000 f / 2π = 159.15, 15.915, 1.5915, 0.159
		const found = inverseFrequencies(8, 10_000, scaling);
		expect(found[0]).toBeCloseTo(1, 15);
		expect(found[1]).toBeCloseTo(0.1, 15);
		// (1.591549431 − 1) / 3 = 0.197183144; 0.802816856 × 0.01 / 8 + 0.197183144 × 0.01
		expect(found[2]).toBeCloseTo(0.002_975_352_5, 10);
		expect(found[3]).toBeCloseTo(0.000_125, 15);
	});
});

describe('a rotary table', () => {
	test('gives cos and sin of position × frequency at the positions of a pack', () => {
		const backend = createReferenceBackend();
		const table = createRopeTable(backend, Float64Array.of(1, 0.1), 50);
		expect(table).toMatchObject({ positions: 50, cos: { shape: [50, 2] }, sin: { shape: [50, 2] } });
		const arena = new Arena(backend);
		const context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined } as const;
		const positions = [0, 1, 49, 0];
		const { cos, sin } = anglesAt(context, table, indexTensor(backend, positions));
		const angles = positions.flatMap((position) => [position, position * 0.1]);
		for (const [i, angle] of angles.entries()) {
			expect(backend.download(cos)[i]).toBeCloseTo(Math.cos(angle), 6);
			expect(backend.download(sin)[i]).toBeCloseTo(Math.sin(angle), 6);
		}
		const beyond = indexTensor(backend, [50]);
		expect(() => anglesAt(context, table, beyond)).toThrow(expect.objectContaining({ code: 'ROW_RANGE' }));
	});
});
