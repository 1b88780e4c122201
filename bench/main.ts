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
import { gemmCases } from './rows/gemm.ts';
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
		const kernels: BenchRow[] = [];
		for (const makeCases of [gemmCases, attentionCases, otherCases]) {
			kernels.push(...kernelRows(makeCases(backend), peaks, options));
		}
		return { machine, rows: inReportOrder([...rows, ...kernels]), ...steps };
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
