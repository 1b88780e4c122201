/**
 * How fast this machine runs the engine, and how fast it could: `npm run bench`, `npm run bench -- --help`. Rows are
 * medians of measurements that take turns with those of the limit and of the peers. docs/performance.md explains them.
 */
import { createCpuBackend, VulntuneError } from '@vulntune/engine';
import { describeMachine, openPeaks } from './machine.ts';
import { type BenchOptions, readOptions, USAGE } from './options.ts';
import { type BenchReport, renderReport } from './report.ts';
import type { BenchRow } from './row.ts';
import { attentionCases } from './rows/attention.ts';
import { gemmCases, instructionSetCases } from './rows/gemm.ts';
import { kernelRows } from './rows/kernels.ts';
import { otherCases } from './rows/others.ts';
import { runSections } from './sections.ts';
import { inReportOrder } from './targets.ts';

async function bench(options: BenchOptions, log: (text: string) => void): Promise<BenchReport> {
	const backend = createCpuBackend(options);
	log('measuring the peak of the machine');
	const machine = await describeMachine(options);
	const peaks = openPeaks(options);
	try {
		const { rows, ...steps } = await runSections({ options, peaks, log });
		log('measuring kernels');
		const kernels = [gemmCases, attentionCases, otherCases].flatMap((makeCases) =>
			kernelRows(makeCases(backend), peaks, options),
		);
		// their float kernels are those of avx512, avx2 and generic
		const isas = Object.keys(machine.peaks).filter(
			(isa) => !['avx512vnni', 'avxvnni', 'dotprod'].includes(isa),
		);
		const sets = isas.flatMap((isa) => instructionSetRows({ ...options, isa }));
		return { machine, rows: inReportOrder([...rows, ...kernels, ...sets]), ...steps };
	} finally {
		peaks.close();
		backend.close();
	}
}

/** Products on one instruction set, against the peak of that. */
function instructionSetRows(options: BenchOptions): BenchRow[] {
	const backend = createCpuBackend(options);
	const peaks = openPeaks(options);
	try {
		return kernelRows(instructionSetCases(backend, options.isa), peaks, options);
	} finally {
		peaks.close();
		backend.close();
	}
}

try {
	const options = readOptions(process.argv.slice(2));
	if (options === 'help') {
		console.log(USAGE);
	} else {
		const report = await bench(options, (text) => console.error(text));
		console.log(options.json ? JSON.stringify(report) : renderReport(report));
	}
} catch (error) {
	if (!(error instanceof VulntuneError || error instanceof TypeError)) throw error;
	console.error(error instanceof VulntuneError ? error.message : `${error.message}\n\n${USAGE}`);
	process.exitCode = 2;
}
