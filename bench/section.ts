import type { Peaks } from './machine.ts';
import type { BenchOptions } from './options.ts';
import type { BenchRow } from './row.ts';

/** Rows that come of the same measurements. A new row is a new section, or a row more of one that is there. */
export interface Section {
	readonly rowNames: readonly string[];
	/** Takes minutes or gigabytes: run only where a pattern names one of its rows. */
	readonly optional?: boolean;
	/** Measures everything that its rows need; rows that nobody asked for are left out afterwards. */
	run(context: BenchContext): Promise<SectionReport>;
}

export interface BenchContext {
	readonly options: BenchOptions;
	/** Of the instruction set that is measured. */
	readonly peaks: Peaks;
	/** What people see while they wait. */
	readonly log: (text: string) => void;
}

export interface SectionReport {
	readonly rows: readonly BenchRow[];
	readonly steps?: readonly StepShares[];
	readonly peers?: readonly PeerFigure[];
	/** What our steps ran on. */
	readonly inputs?: unknown;
}

/** Where the time of a step of ours goes. */
export interface StepShares {
	readonly name: string;
	/** Share of the step's time in each kernel, by the backend's method; the largest first. */
	readonly kernels: Readonly<Record<string, number>>;
	readonly outside: number;
}

/** A peer of the run. */
export interface PeerFigure {
	readonly name: string;
	readonly tokensPerSecond: number;
	readonly peakBytes: number;
	readonly description: unknown;
}
