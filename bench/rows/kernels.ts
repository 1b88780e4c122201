import type { Precision } from '@vulntune/engine';
import type { Peaks } from '../machine.ts';
import { createBench } from '../measure.ts';
import type { BenchOptions } from '../options.ts';
import { type BenchRow, benchRow } from '../row.ts';

/** One kernel at one shape. */
export interface KernelCase {
	readonly name: string;
	/** Run only where `--only` names it. */
	readonly optional?: boolean;
	/** What one call does: operations of a product, or bytes that a kernel must at least read and write. */
	readonly work: { readonly operations: number; readonly precision: Precision } | { readonly bytes: number };
	/** Makes its tensors; called only if the case is wanted. */
	prepare(): PreparedKernel;
}

interface PreparedKernel {
	run(): void;
	free(): void;
}

/** Kernels that are measured by turns with each other and with the peak. */
const GROUP = 8;
/** For each of them and each round that is asked for; most calls take a few milliseconds. */
const SECONDS_PER_ROUND = 0.05;

/** Rows of kernels: GFLOP/s against the peak, or GB/s. */
export function kernelRows(cases: readonly KernelCase[], peaks: Peaks, options: BenchOptions): BenchRow[] {
	const wanted = cases.filter(({ name, optional }) => options.wants(name, optional));
	const groups = Array.from({ length: Math.ceil(wanted.length / GROUP) }, (_, group) =>
		wanted.slice(group * GROUP, (group + 1) * GROUP),
	);
	return groups.flatMap((group) => groupRows(group, peaks, options.rounds));
}

function groupRows(group: readonly KernelCase[], peaks: Peaks, rounds: number): BenchRow[] {
	const prepared = group.map((kernel) => ({ kernel, ...kernel.prepare() }));
	const bench = createBench();
	for (const { work } of group) {
		if ('precision' in work) bench.add(`peak ${work.precision}`, () => peaks.operations(work.precision));
	}
	for (const { kernel, run } of prepared) {
		bench.add(kernel.name, () => {
			run();
			return amount(kernel);
		});
	}
	const rates = bench.run(SECONDS_PER_ROUND * rounds * group.length, rounds);
	for (const { free } of prepared) free();
	return group.map(({ name, work }) =>
		benchRow({
			name,
			value: rates.get(name)! / 1e9,
			unit: 'precision' in work ? 'GFLOP/s' : 'GB/s',
			limit: 'precision' in work ? rates.get(`peak ${work.precision}`)! / 1e9 : undefined,
		}),
	);
}

function amount({ work }: KernelCase): number {
	return 'precision' in work ? work.operations : work.bytes;
}
