import { describe, expect, it } from 'vitest';
import { loadWasm } from '../wasm/node.ts';
import { cpuFeatures } from './features.ts';
import { createPeakMeter } from './peak.ts';
import { roundsToBf16 } from './testing.ts';

const { instructionSets, failure } = cpuFeatures();
if (failure !== undefined) console.warn(`skipped: the peak of the CPU (${failure.reason})`);

describe.skipIf(failure !== undefined)('the peak of an instruction set', () => {
	it.each(instructionSets.filter((set) => set.supported))('is measured for $name', ({ name }) => {
		const meter = createPeakMeter(name, 1);
		// one multiply-add a clock cycle is below any machine, 2048 of them a cycle above
		for (const arithmetic of ['fp32', 'bf16', 'int8'] as const) {
			meter.measure(arithmetic, 2);
			const sample = meter.measure(arithmetic, 2);
			if (arithmetic === 'bf16' && !roundsToBf16(name)) {
				expect(sample).toBeUndefined();
				continue;
			}
			const rate = sample!.operations / sample!.seconds;
			expect(rate).toBeGreaterThan(1e7);
			expect(rate).toBeLessThan(4e13);
		}
		meter.close();
	});

	it('is measured in WebAssembly', () => {
		const meter = createPeakMeter('relaxed-simd', 1, loadWasm());
		expect(meter.measure('bf16', 2)).toBeUndefined();
		expect(meter.measure('fp32', 2)!.operations).toBeGreaterThan(1e5);
		meter.close();
	});

	it('is refused for an instruction set that is not there', () => {
		expect(() => createPeakMeter('mmx', 1)).toThrow(expect.objectContaining({ code: 'CPU_ISA' }));
	});
});
