import { inputError } from '../../errors.ts';
import type { Precision } from '../contract.ts';
import { loadNative, type NativeLoad } from './native.ts';

export interface PeakSample {
	/** A multiply-add is two. */
	readonly operations: number;
	readonly seconds: number;
}

export interface PeakMeter {
	/**
	 * Runs a loop of multiply-adds in all threads' registers for about `milliseconds`; undefined for bf16 where the
	 * instruction set has no bfloat16 arithmetic. Those of int8 are of what it has for whole numbers: of 8 bits, or of
	 * 16 where it can't multiply 8.
	 */
	measure(arithmetic: Precision, milliseconds: number): PeakSample | undefined;
	close(): void;
}

/** Pieces of one measurement, so that a thread that is held up leaves the rest to the others. */
const tasks = 64;

/**
 * Measures what an instruction set of this machine, by name, can do at most: the limit of every matrix product on it. Other
 * kernels than the native ones are given as `load`.
 *
 * Errors: `CPU_NATIVE_MISSING`, `CPU_ISA` (input).
 */
export function createPeakMeter(isa: string, threads: number, load: NativeLoad = loadNative()): PeakMeter {
	const { addon } = load;
	if (!addon?.instructionSets().some((set) => set.name === isa && set.supported)) {
		throw inputError(
			addon === undefined ? 'CPU_NATIVE_MISSING' : 'CPU_ISA',
			`the native kernels can't run on ${isa} here`,
		);
	}
	const engine = addon.createEngine(isa, threads);
	const { peak, int8Peak } = addon.kernels;
	// by arithmetic, since their speeds differ
	const stepsPerMillisecond = { fp32: 1000, bf16: 1000, int8: 1000 };
	return {
		measure(arithmetic, milliseconds) {
			const steps = Math.ceil(stepsPerMillisecond[arithmetic] * milliseconds);
			const start = performance.now();
			const operations =
				arithmetic === 'int8'
					? int8Peak(engine, tasks, steps)
					: peak(engine, arithmetic === 'bf16', tasks, steps);
			const elapsed = performance.now() - start;
			if (operations === 0) return undefined;
			stepsPerMillisecond[arithmetic] = steps / Math.max(elapsed, 0.01);
			return { operations, seconds: elapsed / 1000 };
		},
		close: () => addon.destroyEngine(engine),
	};
}
