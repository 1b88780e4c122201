import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { examineMachine } from './examineMachine.ts';
import { parseGpuList } from './gpus.ts';
import { countParameters, estimateTrainingBytes, knownShapes } from './memoryEstimate.ts';

describe('the report on a machine', () => {
	it('agrees with itself', async () => {
		const report = await examineMachine();
		const isNative = report.backend === 'cpu';
		expect(report.isa !== null).toBe(isNative);
		expect(report.nativeFailure === null).toBe(isNative);
		if (isNative) expect(report.instructionSets).toContainEqual({ name: report.isa, supported: true });
		expect(report.threads).toBeGreaterThanOrEqual(1);
		expect(report.memoryBytes).toBeGreaterThan(2 ** 28);
		expect(report.memoryBytes).toBeLessThanOrEqual(os.totalmem());
		for (const { bytes, fits } of report.fits) expect(fits).toBe(bytes <= report.memoryBytes);
	});
});

describe('the memory estimate', () => {
	it('counts the parameters of published models', () => {
		const totals = knownShapes.map((shape) => {
			const { linear, other } = countParameters(shape);
			return linear + other;
		});
		expect(totals).toEqual([134_515_008, 1_346_471_936, 6_738_546_688, 13_015_874_560]);
	});

	it('is near a quarter of bf16 for NF4 once the base dominates, and grows with the sequence', () => {
		const largest = knownShapes.at(-1)!;
		const nf4 = estimateTrainingBytes(largest, 'nf4', 512);
		const bf16 = estimateTrainingBytes(largest, 'bf16', 512);
		// The paper: 26 GB in half precision, 6 GB quantised, for the weights alone.
		expect(bf16 / 1e9).toBeGreaterThan(26);
		expect(nf4 / 1e9).toBeGreaterThan(6.5);
		expect(nf4 / 1e9).toBeLessThan(10);
		expect(estimateTrainingBytes(largest, 'nf4', 1024)).toBeGreaterThan(nf4);
	});
});

it('reads the list of GPUs and skips what is none', () => {
	expect(parseGpuList('NVIDIA T4, 15360, 550.54\n[N/A], [N/A], \nNo devices were found\n\n')).toEqual([
		{ name: 'NVIDIA T4', memoryBytes: 15_360 * 2 ** 20, driver: '550.54' },
	]);
});
