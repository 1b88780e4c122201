import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { whatFits } from '../sizing/what-fits.ts';
import { examineMachine } from './examine-machine.ts';
import { parseGpuList } from './gpus.ts';

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
		expect(report.diskFreeBytes).toBeGreaterThanOrEqual(0);
		// a module of WebAssembly has 4 GiB
		const usable = report.backend === 'wasm' ? Math.min(report.memoryBytes, 2 ** 32) : report.memoryBytes;
		for (const { bytes, fits } of report.fits) expect(fits).toBe(bytes <= usable);
	});
});

describe('what fits', () => {
	it('is what the memory holds, NF4 taking about a third of bf16 where the base dominates', () => {
		const bytes = (model: string, method: string) =>
			whatFits(0).find((fit) => fit.model === model && fit.method === method)!.bytes;
		expect(whatFits(0).every(({ fits }) => !fits)).toBe(true);
		expect(whatFits(2 ** 40).every(({ fits }) => fits)).toBe(true);
		const model = 'WizardCoder-Python-13B';
		expect(bytes(model, 'qlora') / bytes(model, 'lora')).toBeCloseTo(1 / 3, 1);
		// 13 billion weights of two bytes, and a little more.
		expect(bytes(model, 'lora') / 26e9).toBeCloseTo(1, 0);
		expect(bytes('SmolLM2-135M', 'qlora')).toBeLessThan(2 ** 30);
	});
});

it('turns to checkpointing where memory is short, and then gives up', () => {
	const qlora = (memoryBytes: number) =>
		whatFits(memoryBytes).find((fit) => fit.model === 'DeepSeek-Coder-1.3B' && fit.method === 'qlora')!;
	const ample = qlora(2 ** 40);
	expect(ample).toMatchObject({ checkpointing: false, fits: true });
	const short = qlora(ample.bytes - 1);
	expect(short).toMatchObject({ checkpointing: true, fits: true });
	expect(short.bytes).toBeLessThan(ample.bytes);
	expect(qlora(short.bytes - 1)).toEqual({ ...short, fits: false });
});

it('reads the list of GPUs and skips what is none', () => {
	expect(parseGpuList('NVIDIA T4, 15360, 550.54\n[N/A], [N/A], \nNo devices were found\n\n')).toEqual([
		{ name: 'NVIDIA T4', memoryBytes: 15_360 * 2 ** 20, driver: '550.54' },
	]);
});
