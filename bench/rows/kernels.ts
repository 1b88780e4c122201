import type { Precision } from '@vulntune/engine';
import { interleave } from '../interleave.ts';
import type { Peaks } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import { type BenchRow, benchRow, type Condition } from '../row.ts';

/** One kernel at one shape. */
export interface KernelCase {
	readonly name: string;
	/** Run only where `--only` names it. */
	readonly optional?: boolean;
	/** What one call does: operations of a product, or bytes that a kernel must at least read and write. */
	readonly work: { readonly operations: number; readonly precision: Precision } | { readonly bytes: number };
	readonly target?: readonly Condition[];
	/** Makes its tensors; called only if the case is wanted. */
	prepare(): PreparedKernel;
}

export interface PreparedKernel {
	run(): void;
	free(): void;
}

const MILLISECONDS = 15;
/** The peak is measured again after so many kernels. */
const KERNELS_PER_PEAK = 4;

/** Rows of kernels: GFLOP/s against the peak, or GB/s. Each is measured next to the peak in every round. */
export async function kernelRows(
	cases: readonly KernelCase[],
	peaks: Peaks,
	options: BenchOptions,
): Promise<BenchRow[]> {
	const wanted = cases.filter(({ name, optional }) => options.wants(name, optional));
	if (wanted.length === 0) return [];
	const prepared = wanted.map((kernel) => ({ kernel, ...kernel.prepare() }));
	const precisions = new Set(wanted.flatMap(({ work }) => ('precision' in work ? [work.precision] : [])));
	const peakCases = [...precisions].map((precision) => ({
		name: `peak ${precision}`,
		measure: () => peaks.measure(precision) / 1e9,
	}));
	const measured = prepared.flatMap(({ kernel, run }, index) => [
		...(index % KERNELS_PER_PEAK === 0 ? peakCases : []),
		{ name: kernel.name, measure: () => amount(kernel) / secondsOf(run) / 1e9 },
	]);
	const medians = await interleave(measured, options.rounds);
	for (const { free } of prepared) free();
	return wanted.map(({ name, work, target = [] }) =>
		benchRow({
			name,
			value: medians.get(name)!,
			unit: 'precision' in work ? 'GFLOP/s' : 'GB/s',
			limit: 'precision' in work ? medians.get(`peak ${work.precision}`) : undefined,
			target,
		}),
	);
}

function amount({ work }: KernelCase): number {
	return 'precision' in work ? work.operations : work.bytes;
}

/** Seconds of one call, from as many as fill the time of a measurement. */
function secondsOf(run: () => void): number {
	run();
	const start = performance.now();
	let calls = 0;
	do {
		run();
		calls += 1;
	} while (performance.now() - start < MILLISECONDS);
	return (performance.now() - start) / 1000 / calls;
}
