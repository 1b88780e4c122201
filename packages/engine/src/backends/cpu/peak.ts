import { inputError } from '../../errors.ts';
import { cpuFeatures } from './features.ts';
import { kernelsOf, loadNative } from './native.ts';

export interface PeakMeter {
	/**
	 * Operations per second, a multiply-add being two, of a loop that does nothing else in all threads' registers for
	 * about `milliseconds`; undefined for bf16 where the instruction set has no bfloat16 arithmetic.
	 */
	measure(arithmetic: 'fp32' | 'bf16', milliseconds: number): number | undefined;
	close(): void;
}

interface PeakKernels {
	peak(engine: number, bf16: boolean, tasks: number, steps: number): number;
}

/** Pieces of one measurement, so that a thread that is held up leaves the rest to the others. */
const tasks = 64;

/**
 * Measures what an instruction set of this machine can do at most: the limit of every matrix product on it.
 *
 * Errors: `CPU_NATIVE_MISSING`, `CPU_ISA` (input).
 */
export function createPeakMeter(isa: string, threads: number): PeakMeter {
	const { addon } = loadNative();
	const supported = cpuFeatures().instructionSets.some((set) => set.name === isa && set.supported);
	if (addon === undefined || !supported) {
		throw inputError(
			addon === undefined ? 'CPU_NATIVE_MISSING' : 'CPU_ISA',
			`the native kernels can't run on ${isa} here`,
		);
	}
	const engine = addon.createEngine(isa, threads);
	const { peak } = kernelsOf<PeakKernels>(addon);
	let steps = 1000;
	return {
		measure(arithmetic, milliseconds) {
			for (;;) {
				const start = performance.now();
				const operations = peak(engine, arithmetic === 'bf16', tasks, Math.round(steps));
				const elapsed = performance.now() - start;
				if (operations === 0) return undefined;
				const isLongEnough = elapsed >= milliseconds / 2;
				steps *= Math.min(100, milliseconds / Math.max(elapsed, 0.01));
				if (isLongEnough) return (1000 * operations) / elapsed;
			}
		},
		close: () => addon.destroyEngine(engine),
	};
}
