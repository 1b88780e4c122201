import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { cpuFeatures, createPeakMeter, type PeakSample, type Precision } from '@vulntune/engine';
import { interleave } from './interleave.ts';
import type { BenchOptions } from './options.ts';

export interface Machine {
	readonly cpu: string;
	readonly cores: number;
	readonly memoryBytes: number;
	readonly system: string;
	readonly node: string;
	/** What the kernels ran on. */
	readonly isa: string;
	readonly threads: number;
	/** Processes that wanted to run in the minute before the bench: above 0, others were taking time from it. */
	readonly loadBefore: number;
	/** GFLOP/s of a loop of multiply-adds in registers, by instruction set and arithmetic. */
	readonly peaks: Readonly<
		Record<string, { readonly fp32: number; readonly bf16: number | null; readonly int8: number }>
	>;
}

const PEAK_MILLISECONDS = 30;
/** About what one call of a kernel takes. */
const SHORT_MILLISECONDS = 4;

/** Facts of this machine, and the peak of every instruction set that it has. */
export async function describeMachine(options: BenchOptions): Promise<Machine> {
	const loadBefore = loadavg()[0]!;
	const meters = cpuFeatures()
		.instructionSets.filter((set) => set.supported && (set.automatic || set.name === options.isa))
		.map(({ name }) => ({ name, meter: createPeakMeter(name, options.threads) }));
	const cases = meters.flatMap(({ name, meter }) =>
		(['fp32', 'bf16', 'int8'] as const).map((arithmetic) => ({
			name: `${name} ${arithmetic}`,
			measure: () => rateOf(meter.measure(arithmetic, PEAK_MILLISECONDS)) / 1e9,
		})),
	);
	const medians = await interleave(cases, options.rounds);
	for (const { meter } of meters) meter.close();
	return {
		cpu: cpus()[0]?.model.trim() ?? 'unknown',
		cores: availableParallelism(),
		memoryBytes: totalmem(),
		system: `${process.platform} ${process.arch}`,
		node: process.versions.node,
		isa: options.isa,
		threads: options.threads,
		loadBefore,
		peaks: Object.fromEntries(
			meters.map(({ name }) => [
				name,
				{
					fp32: medians.get(`${name} fp32`)!,
					bf16: medians.get(`${name} bf16`)! || null,
					int8: medians.get(`${name} int8`)!,
				},
			]),
		),
	};
}

/** What the limits of a section are taken from: the peak of what each precision computes in. */
export interface Peaks {
	/** Operations per second now. */
	rate(precision: Precision): number;
	/** Operations of a loop of a few milliseconds, for a caller who times it. */
	operations(precision: Precision): number;
	close(): void;
}

/** On an instruction set without bfloat16 arithmetic `bf16` computes in fp32, so that is its limit. */
export function openPeaks(options: BenchOptions): Peaks {
	const meter = createPeakMeter(options.isa, options.threads);
	const measure = (precision: Precision, milliseconds: number): PeakSample =>
		meter.measure(precision, milliseconds) ?? meter.measure('fp32', milliseconds)!;
	return {
		rate: (precision) => rateOf(measure(precision, PEAK_MILLISECONDS)),
		operations: (precision) => measure(precision, SHORT_MILLISECONDS).operations,
		close: () => meter.close(),
	};
}

function rateOf(sample: PeakSample | undefined): number {
	return sample === undefined ? 0 : sample.operations / sample.seconds;
}
